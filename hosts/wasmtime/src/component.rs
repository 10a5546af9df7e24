//! Loading a component, and calling it.

use std::sync::Arc;

use hubstow_core::decide::Guarded;
use wasmtime::{
    Engine, Store,
    component::{Component as Program, Linker},
};

use crate::{
    bounds::{Bounds, Limits},
    engine::engine,
    error::{CoreError, Had},
    generated::{Core, CorePre},
    remembered::Remembered,
    watch::Watch,
    wit::Guest,
};

/// The component that is part of this crate, compiled for this target when the crate was built.
const COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/core.cwasm"));

/// Whether memory for instances is reserved beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pool {
    /// Each decision maps its own memory: right for a command that makes a few.
    #[default]
    Off,
    /// Memory for so many decisions at a time is reserved beforehand: half the cost of each, and address space for all.
    Of(u32),
}

impl Pool {
    fn instances(self) -> Option<u32> {
        match self {
            Self::Off => None,
            Self::Of(instances) => Some(instances),
        }
    }
}

/// How a component is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What a call may cost.
    pub bounds: Bounds,
    /// Whether memory for calls is reserved beforehand.
    pub pool: Pool,
}

/// A component that decides. It is loaded once and called from any thread; each call has a fresh instance.
pub struct ComponentCore {
    component: Arc<Component>,
    pub(crate) guarded: Guarded,
    pub(crate) remembered: Remembered,
}

/// The component itself: what it says is its bare word.
pub(crate) struct Component {
    engine: Engine,
    pre: CorePre<Limits>,
    bounds: Bounds,
    watch: Watch,
}

impl ComponentCore {
    /// Loads the component that is part of this crate. It was compiled when the crate was built, so this takes a
    /// fraction of a millisecond.
    ///
    /// # Errors
    /// A machine that lacks what the target promises.
    pub fn embedded() -> Result<Self, CoreError> {
        Self::embedded_with(Options::default())
    }

    /// Loads the component that is part of this crate.
    ///
    /// # Errors
    /// As [`ComponentCore::embedded`]; a pool that can't be reserved.
    pub fn embedded_with(options: Options) -> Result<Self, CoreError> {
        #[expect(
            unsafe_code,
            reason = "these bytes are the build script's own and part of the program"
        )]
        // SAFETY: `COMPILED` is what this crate's build script got from the engine, embedded unchanged.
        unsafe {
            Self::precompiled(COMPILED, options)
        }
    }

    /// Compiles a component and loads it; that takes about 60 ms of processor time for the core's own.
    ///
    /// # Errors
    /// Bytes that are no component; one that imports anything, or does not export the interface.
    #[cfg(feature = "compile")]
    pub fn compile(component: &[u8], options: Options) -> Result<Self, CoreError> {
        let engine =
            engine(None, options.pool.instances()).map_err(|error| CoreError::load(&error))?;
        let component =
            Program::from_binary(&engine, component).map_err(|error| CoreError::load(&error))?;
        Self::load(engine, &component, options.bounds)
    }

    /// Compiles a component for this machine, to be loaded by [`precompiled`](Self::precompiled) later.
    ///
    /// # Errors
    /// Bytes that are no component.
    #[cfg(feature = "compile")]
    pub fn precompile(component: &[u8]) -> Result<Vec<u8>, CoreError> {
        let compiled = engine(None, None).and_then(|e| e.precompile_component(component));
        compiled.map_err(|error| CoreError::load(&error))
    }

    /// Loads a component that was compiled beforehand. That it was compiled by this version of the engine, with these
    /// settings, for a machine like this one is checked.
    ///
    /// # Errors
    /// An artifact of another engine, version, setting or machine; a component that does not fit.
    ///
    /// # Safety
    /// The artifact is machine code and runs as such: it must come unchanged from [`precompile`](Self::precompile), and
    /// nobody who is not trusted may have been able to write to it.
    #[expect(
        unsafe_code,
        reason = "machine code can't be checked, so the caller must know where it comes from"
    )]
    pub unsafe fn precompiled(artifact: &[u8], options: Options) -> Result<Self, CoreError> {
        let engine =
            engine(None, options.pool.instances()).map_err(|error| CoreError::load(&error))?;
        // SAFETY: the caller promises that these bytes come unchanged from the engine.
        let component = unsafe { Program::deserialize(&engine, artifact) }
            .map_err(|error| CoreError::load(&error))?;
        Self::load(engine, &component, options.bounds)
    }

    /// Binds a component to nothing. An import that asks for nothing would be satisfied by that, so imports are looked for
    /// by name first.
    fn load(engine: Engine, component: &Program, bounds: Bounds) -> Result<Self, CoreError> {
        if let Some((name, _)) = component.component_type().imports(&engine).next() {
            return Err(CoreError::Unfit { cause: format!("it imports `{name}`") });
        }
        let linker = Linker::<Limits>::new(&engine);
        let pre = linker
            .instantiate_pre(component)
            .and_then(CorePre::new)
            .map_err(|error| CoreError::unfit(&error))?;
        let component = Arc::new(Component { engine, pre, bounds, watch: Watch::new() });
        let guarded = Guarded::new(component.clone());
        Ok(Self { component, guarded, remembered: Remembered::default() })
    }

    /// Makes one call in a fresh instance, within the bounds. `questions` is how many are asked at once: a batch may cost
    /// that much more. The other methods of this type check what they return; what this returns is the component's bare
    /// word.
    ///
    /// # Errors
    /// A component that fails.
    pub fn ask<T>(
        &self,
        questions: usize,
        call: impl FnOnce(&Guest, &mut Store<Limits>) -> wasmtime::Result<T>,
    ) -> Result<T, CoreError> {
        self.component.ask(questions, call)
    }

    /// The same for any interface of the component.
    pub(crate) fn ask_of<T>(
        &self,
        questions: usize,
        call: impl FnOnce(&Core, &mut Store<Limits>) -> wasmtime::Result<T>,
    ) -> Result<T, CoreError> {
        self.component.ask_of(questions, call)
    }
}

impl Component {
    /// Asks for a decision in a fresh instance, within the bounds.
    pub(crate) fn ask<T>(
        &self,
        questions: usize,
        call: impl FnOnce(&Guest, &mut Store<Limits>) -> wasmtime::Result<T>,
    ) -> Result<T, CoreError> {
        self.ask_of(questions, |core, store| call(core.hubstow_placement_decisions(), store))
    }

    /// Makes one call in a fresh instance, within the bounds.
    fn ask_of<T>(
        &self,
        questions: usize,
        call: impl FnOnce(&Core, &mut Store<Limits>) -> wasmtime::Result<T>,
    ) -> Result<T, CoreError> {
        let had = Had {
            fuel: self.bounds.fuel_for(questions),
            deadline: self.bounds.deadline,
            answer_bytes: self.bounds.answer_bytes_for(questions),
        };
        let answered = self.answer(&had, call);
        answered.map_err(|error| {
            let error = CoreError::call(&error, &had);
            tracing::warn!(%error, "the component failed");
            error
        })
    }

    fn answer<T>(
        &self,
        had: &Had,
        call: impl FnOnce(&Core, &mut Store<Limits>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let mut store = Store::new(&self.engine, Limits { memory_bytes: self.bounds.memory_bytes });
        store.limiter(|limits| limits);
        store.set_fuel(had.fuel)?;
        store.set_epoch_deadline(Watch::ticks(had.deadline));
        store.set_hostcall_fuel(had.answer_bytes);
        let _running = self.watch.run(&self.engine);
        let core: Core = self.pre.instantiate(&mut store)?;
        call(&core, &mut store)
    }
}

impl std::fmt::Debug for ComponentCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentCore")
            .field("bounds", &self.component.bounds)
            .finish_non_exhaustive()
    }
}
