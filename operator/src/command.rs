//! The command line.

use std::{fmt, path::PathBuf};

use kernel::{OrderId, Timestamp};
use runtime::Error;
use serde::Serialize;

use crate::{Shop, check, contradictions, dead_letters, order, outbox, reconcile};

pub const HELP: &str = "\
Looks at a shop and sets right what is stuck.

  emporium [OPTIONS] COMMAND

  order show ID                     everything about an order, and what it waits for
  order resume ID                   publish its last events again; safe to repeat
  order cancel ID                   cancel it, if its goods are not sold yet
  dead-letters list [QUEUE]         messages that consumers gave up
  dead-letters redrive QUEUE|all [MESSAGE]
                                    send them, or one, back to their consumer
  contradictions                    events that contradict what is recorded
  contradictions resolve KEY        take one off the list, once it is settled
  outbox [--send]                   events not published yet; --send has the relays sweep
  check [--position FILE]           read whole tables for what contradicts itself; with a
                                    file, a check that ended early goes on from there

  reconcile catalog --since TIME [--apply]
                                    after the catalogue was restored from TIME (as
                                    2026-01-31T12:00:00Z): give its reservations the outcomes
                                    of their orders; without --apply only say how

  --stack NAME    a stack in AWS, such as emporium-prod (or STACK=…)
  --shop URL      a shop of `make dev` (http://127.0.0.1:3000, or PORT=…); the default
  --json          for machines

For a stack, AWS_REGION and credentials are taken from the environment:
  eval \"$(aws configure export-credentials --format env)\"

Exit status: 0, or 1 if `check` found something, 2 for a wrong command line, 3 if it failed
or was refused.
";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Show(OrderId),
    Resume(OrderId),
    Cancel(OrderId),
    ListDeadLetters(Option<String>),
    Redrive {
        /// All queues without one.
        queue: Option<String>,
        message: Option<String>,
    },
    Contradictions,
    Resolve {
        key: String,
    },
    Outbox {
        send: bool,
    },
    Check {
        position: Option<PathBuf>,
    },
    ReconcileCatalog {
        since: Timestamp,
        apply: bool,
    },
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    pub command: Command,
    pub stack: Option<String>,
    pub shop: Option<String>,
    pub json: bool,
}

/// What a command has to say.
pub struct Outcome {
    /// For people, or as JSON.
    pub text: String,
    /// Whether a check found something.
    pub found: bool,
}

impl Arguments {
    /// Reads a command line; `None` asks for help.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(given: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut words, mut stack, mut shop) = (Vec::new(), None, None);
        let (mut json, mut send, mut position) = (false, false, None);
        let (mut apply, mut since) = (false, None);
        let mut given = given.peekable();
        if given.peek().is_none() {
            return Ok(None);
        }
        while let Some(word) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" | "help" => return Ok(None),
                "--json" => json = true,
                "--send" => send = true,
                "--apply" => apply = true,
                "--since" => {
                    let text = value()?;
                    let time = text.parse::<Timestamp>();
                    since = Some(time.map_err(|_| format!("{text} is no time"))?);
                }
                "--stack" => stack = Some(value()?),
                "--shop" => shop = Some(value()?),
                "--position" => position = Some(PathBuf::from(value()?)),
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}"));
                }
                _ => words.push(word),
            }
        }
        if stack.is_some() && shop.is_some() {
            return Err("--stack and --shop are two places".to_owned());
        }
        let command = match (
            &words.iter().map(String::as_str).collect::<Vec<_>>()[..],
            since,
        ) {
            (["reconcile", "catalog"], Some(since)) => Command::ReconcileCatalog { since, apply },
            (["reconcile", "catalog"], None) => {
                return Err("reconcile needs --since, the time the table was restored from".into());
            }
            _ => command(&words, send, position.clone())?,
        };
        let is_reconcile = matches!(command, Command::ReconcileCatalog { .. });
        for (given, takes, refusal) in [
            (
                send,
                matches!(command, Command::Outbox { .. }),
                "only `outbox` takes --send",
            ),
            (
                position.is_some(),
                matches!(command, Command::Check { .. }),
                "only `check` takes --position",
            ),
            (apply, is_reconcile, "only `reconcile` takes --apply"),
            (
                since.is_some(),
                is_reconcile,
                "only `reconcile` takes --since",
            ),
        ] {
            if given && !takes {
                return Err(refusal.to_owned());
            }
        }
        Ok(Some(Self {
            command,
            stack,
            shop,
            json,
        }))
    }
}

fn command(words: &[String], send: bool, position: Option<PathBuf>) -> Result<Command, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let id = |text: &str| {
        let id = text.parse::<OrderId>();
        id.map_err(|_| format!("{text} is no order id"))
    };
    Ok(match words[..] {
        ["order", "show", text] => Command::Show(id(text)?),
        ["order", "resume", text] => Command::Resume(id(text)?),
        ["order", "cancel", text] => Command::Cancel(id(text)?),
        ["dead-letters", "list"] => Command::ListDeadLetters(None),
        ["dead-letters", "list", queue] => Command::ListDeadLetters(Some(queue.to_owned())),
        ["dead-letters", "redrive", queue] => Command::Redrive {
            queue: (queue != "all").then(|| queue.to_owned()),
            message: None,
        },
        ["dead-letters", "redrive", queue, message] if queue != "all" => Command::Redrive {
            queue: Some(queue.to_owned()),
            message: Some(message.to_owned()),
        },
        ["dead-letters", "redrive", ..] => {
            return Err("name a queue, or `all`".to_owned());
        }
        ["contradictions"] => Command::Contradictions,
        ["contradictions", "resolve", key] => Command::Resolve {
            key: key.to_owned(),
        },
        ["outbox"] => Command::Outbox { send },
        ["check"] => Command::Check { position },
        [] => return Err("no command".to_owned()),
        _ => return Err(format!("unknown command: {}", words.join(" "))),
    })
}

/// Carries out a command.
///
/// # Errors
/// When it fails or is refused, with the reason.
pub async fn run(shop: &Shop, command: &Command, json: bool) -> Result<Outcome, Error> {
    let mut found = false;
    let text = match command {
        Command::Show(id) => written(&order::show(shop, *id).await?, json),
        Command::Resume(id) => written(&order::resume(shop, *id).await?, json),
        Command::Cancel(id) => written(&order::cancel(shop, *id).await?, json),
        Command::ListDeadLetters(queue) => {
            written(&dead_letters::list(shop, queue.as_deref()).await?, json)
        }
        Command::Redrive { queue, message } => {
            let redriven = dead_letters::redrive(shop, queue.as_deref(), message.as_deref());
            written(&redriven.await?, json)
        }
        Command::Contradictions => written(&contradictions::list(shop).await?, json),
        Command::Resolve { key } => written(&contradictions::resolve(shop, key).await?, json),
        Command::Outbox { send } => written(&outbox::show(shop, *send).await?, json),
        Command::Check { position } => {
            let outcome = check::check(shop, position.as_deref()).await?;
            found = !outcome.findings().is_empty();
            written(&outcome, json)
        }
        Command::ReconcileCatalog { since, apply } => {
            let reconciled = reconcile::catalog(shop, *since, *apply).await?;
            found = !reconciled.impossible.is_empty();
            written(&reconciled, json)
        }
    };
    Ok(Outcome { text: text?, found })
}

fn written(report: &(impl fmt::Display + Serialize), json: bool) -> Result<String, Error> {
    Ok(if json {
        serde_json::to_string_pretty(report)? + "\n"
    } else {
        report.to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_may_stand_anywhere() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        for line in [
            format!("--json order show {id} --stack emporium-prod"),
            format!("order --stack emporium-prod show --json {id}"),
        ] {
            let arguments = parse(&line).unwrap().unwrap();
            assert_eq!(arguments.command, Command::Show(id.parse().unwrap()));
            assert_eq!(arguments.stack.as_deref(), Some("emporium-prod"));
            assert!(arguments.json);
        }
    }

    #[test]
    fn a_wrong_command_line_is_refused_with_the_reason() {
        for (line, reason) in [
            ("order show 7", "7 is no order id"),
            ("order pay 7", "unknown command: order pay 7"),
            ("dead-letters redrive", "name a queue, or `all`"),
            ("dead-letters redrive all 7", "name a queue, or `all`"),
            ("check --send", "only `outbox` takes --send"),
            ("outbox --position x", "only `check` takes --position"),
            (
                "outbox --shop a --stack b",
                "--stack and --shop are two places",
            ),
            ("reconcile catalog --since noon", "noon is no time"),
            (
                "reconcile catalog",
                "reconcile needs --since, the time the table was restored from",
            ),
            ("check --apply", "only `reconcile` takes --apply"),
            ("outbox --force", "unknown option --force"),
            ("check --position", "--position needs a value"),
            ("--json", "no command"),
        ] {
            assert_eq!(parse(line), Err(reason.to_owned()), "{line}");
        }
    }

    #[test]
    fn nothing_and_help_ask_for_help() {
        for line in ["", "--help", "order -h", "help"] {
            assert_eq!(parse(line), Ok(None), "{line}");
        }
    }
}
