//! The programs that are measured and their environments.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use runtime::Environment;

use crate::{Error, measure::Target, process::Program, shop::SampleShop};

/// Warm calls of a program in a full run.
const CALLS: usize = 1_000;
/// Warm calls of programs that hash passwords, which take up to 250 ms.
const CALLS_SLOW: usize = 100;

/// Where the programs are found.
pub(crate) struct Programs<'a> {
    pub(crate) shop: &'a SampleShop,
    /// The repository.
    pub(crate) root: &'a Path,
    /// The directory of the binaries of this build.
    pub(crate) binaries: PathBuf,
    /// The directory of `<function>/bootstrap`, if those are to be measured.
    pub(crate) bootstraps: Option<PathBuf>,
    /// The directories that are searched for `node`.
    pub(crate) path: &'a str,
}

impl<'a> Programs<'a> {
    /// The binaries beside this program, or those in `BOOTSTRAPS`.
    pub(crate) fn of_environment(
        environment: &'a Environment,
        root: &'a Path,
        shop: &'a SampleShop,
    ) -> Result<Self, Error> {
        let program = std::env::current_exe()?;
        Ok(Self {
            shop,
            root,
            binaries: program.parent().ok_or("no directory")?.to_owned(),
            bootstraps: environment.get("BOOTSTRAPS").map(PathBuf::from),
            path: environment.get("PATH").unwrap_or_default(),
        })
    }

    /// The lower bounds: nothing can be faster than these.
    pub(crate) fn floors(&self) -> Result<Vec<Target>, Error> {
        ["floor", "raw-get-item"]
            .into_iter()
            .map(|name| Ok(target(self.floor(name)?, "get-product", CALLS)))
            .collect()
    }

    /// All programs whose calls are interleaved.
    pub(crate) fn targets(&self) -> Result<Vec<Target>, Error> {
        let mut targets = self.floors()?;
        targets.extend([
            target(self.function("get-product")?, "get-product", CALLS),
            target(self.node("get-product")?, "get-product", CALLS),
            target(self.function("list-products")?, "list-products", CALLS),
            target(self.function("log-in")?, "log-in", CALLS_SLOW),
            target(self.node("log-in-argon2")?, "log-in", CALLS_SLOW),
            target(self.node("log-in-bcrypt")?, "log-in", CALLS_SLOW),
        ]);
        Ok(targets)
    }

    /// The function whose events keep other functions busy.
    pub(crate) fn place_order(&self) -> Result<Target, Error> {
        Ok(target(self.function("place-order")?, "place-order", CALLS))
    }

    /// A function of the shop.
    pub(crate) fn function(&self, name: &'static str) -> Result<Program, Error> {
        let binary = match &self.bootstraps {
            Some(directory) => directory.join(name).join("bootstrap"),
            None => self.binaries.join(name),
        };
        Ok(Program {
            name,
            command: vec![binary],
            environment: self.shop.variables(name)?,
        })
    }

    /// A bootstrap of this crate, in place of `get-product`.
    fn floor(&self, name: &'static str) -> Result<Program, Error> {
        let mut environment = self.shop.variables("get-product")?;
        let key = format!("PRODUCT#{}", self.shop.product_id);
        environment.insert("BENCH_PK".to_owned(), key);
        Ok(Program {
            name,
            command: vec![self.binaries.join(name)],
            environment,
        })
    }

    /// A peer in Node, in place of the function that it is named after.
    pub(crate) fn node(&self, source: &'static str) -> Result<Program, Error> {
        let (name, function) = match source {
            "get-product" => ("Node get-product", "get-product"),
            "log-in-argon2" => ("Node log-in, Argon2id", "log-in"),
            _ => ("Node log-in, bcrypt 12", "log-in"),
        };
        self.peer(name, source, function)
    }

    /// The product read as an Express server.
    pub(crate) fn express(&self) -> Result<Program, Error> {
        self.peer("Express", "express", "get-product")
    }

    fn peer(&self, name: &'static str, source: &str, function: &str) -> Result<Program, Error> {
        let mut environment: BTreeMap<_, _> = self.shop.variables(function)?;
        // Without it, the SDK for JavaScript spends time on a warning about the
        // end of support for Node 20.
        environment.insert("NODE_ENV".to_owned(), "production".to_owned());
        let file = self.root.join(format!("benches/node/dist/{source}.js"));
        Ok(Program {
            name,
            command: vec![self.find_node()?, file],
            environment,
        })
    }

    /// The `node` binary. A version manager's wrapper script would be measured
    /// with it.
    fn find_node(&self) -> Result<PathBuf, Error> {
        let found = self
            .path
            .split(':')
            .map(|directory| Path::new(directory).join("node"))
            .find(|file| file.is_file())
            .ok_or("node is not installed; the peers need Node 20")?;
        Ok(found.canonicalize()?)
    }
}

fn target(program: Program, function: &'static str, calls: usize) -> Target {
    Target {
        program,
        function,
        calls,
    }
}
