//! Countries, by their ISO 3166-1 alpha-2 codes.

use std::borrow::Cow;

use crate::input::{FieldErrors, FromInput, Value};
use serde::{Deserialize, Serialize};

/// A country's code, in capitals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Country(Cow<'static, str>);

/// Every officially assigned code (ISO 3166-1, 2024), in order.
const CODES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW \
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM \
    ZW";

impl FromInput for Country {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.text()?;
        CODES
            .split(' ')
            .find(|code| *code == text)
            .map(|code| Self(Cow::Borrowed(code)))
            .ok_or_else(|| FieldErrors::new("must be a country code of ISO 3166, such as DE"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_assigned_code_once() {
        let codes: Vec<_> = CODES.split(' ').collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted_by(|a, b| a < b));
        assert!(codes.iter().all(|code| code.len() == 2));
    }

    #[test]
    fn only_a_whole_code_in_capitals_is_one() {
        for good in ["DE", "US", "ZW", "AD"] {
            assert!(Country::from_input(Value::Text(good)).is_ok(), "{good}");
        }
        for bad in ["", "D", "de", "DEU", "XX", "D ", "DE DJ", " "] {
            assert!(Country::from_input(Value::Text(bad)).is_err(), "{bad}");
        }
    }
}
