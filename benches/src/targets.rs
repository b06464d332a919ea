//! Who is measured, and what each is given.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{Failure, measure::Target, process::Program, world::World};

/// Warm calls of each, in a full run.
const CALLS: usize = 1_000;
/// Of those that hash passwords, which take up to a quarter of a second.
const CALLS_SLOW: usize = 100;

/// Where the programs are.
pub(crate) struct Programs<'a> {
    pub(crate) world: &'a World,
    /// The repository.
    pub(crate) root: &'a Path,
    /// The binaries of this build.
    pub(crate) release: &'a Path,
    /// `<function>/bootstrap` in here, when it is to be those.
    pub(crate) bootstraps: Option<&'a Path>,
    /// Where to look for `node`.
    pub(crate) path: &'a str,
}

impl Programs<'_> {
    /// What nothing can be faster than.
    pub(crate) fn floors(&self) -> Result<Vec<Target>, Failure> {
        ["floor", "raw-get-item"]
            .into_iter()
            .map(|name| Ok(target(self.own(name)?, "get-product", CALLS)))
            .collect()
    }

    /// All that take turns.
    pub(crate) fn targets(&self) -> Result<Vec<Target>, Failure> {
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

    /// The function that sets others to work.
    pub(crate) fn place_order(&self) -> Result<Target, Failure> {
        Ok(target(self.function("place-order")?, "place-order", CALLS))
    }

    /// A function of the shop.
    pub(crate) fn function(&self, name: &'static str) -> Result<Program, Failure> {
        let binary = match self.bootstraps {
            Some(directory) => directory.join(name).join("bootstrap"),
            None => self.release.join(name),
        };
        Ok(Program {
            name,
            command: vec![binary],
            environment: self.world.variables(name)?,
        })
    }

    /// A bootstrap of this crate, in the place of `get-product`.
    fn own(&self, name: &'static str) -> Result<Program, Failure> {
        let mut environment = self.world.variables("get-product")?;
        let key = format!("PRODUCT#{}", self.world.product_id);
        environment.insert("BENCH_PK".to_owned(), key);
        Ok(Program {
            name,
            command: vec![self.release.join(name)],
            environment,
        })
    }

    /// A peer, in the place of the function of its name.
    pub(crate) fn node(&self, source: &'static str) -> Result<Program, Failure> {
        let (name, function) = match source {
            "get-product" => ("Node get-product", "get-product"),
            "log-in-argon2" => ("Node log-in, Argon2id", "log-in"),
            _ => ("Node log-in, bcrypt 12", "log-in"),
        };
        self.peer(name, source, function)
    }

    /// The product read as an Express server.
    pub(crate) fn express(&self) -> Result<Program, Failure> {
        self.peer("Express", "express", "get-product")
    }

    fn peer(&self, name: &'static str, source: &str, function: &str) -> Result<Program, Failure> {
        let mut environment: BTreeMap<_, _> = self.world.variables(function)?;
        // The SDK for JavaScript warns without it that it will not be updated
        // for Node 20 for ever, which costs time.
        environment.insert("NODE_ENV".to_owned(), "production".to_owned());
        let file = self.root.join(format!("benches/node/dist/{source}.js"));
        Ok(Program {
            name,
            command: vec![self.find_node()?, file],
            environment,
        })
    }

    /// `node` itself, not a script that finds a version of it: that would be
    /// measured with it.
    fn find_node(&self) -> Result<PathBuf, Failure> {
        let found = self
            .path
            .split(':')
            .map(|directory| Path::new(directory).join("node"))
            .find(|file| file.is_file())
            .ok_or("there is no node; the peers need Node 20")?;
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
