//! The engine's settings: the same when a component is compiled beforehand and when it is loaded.
//!
//! This file is part of the build script too, so it knows nothing of this crate.

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The stack of a decision. The core's own needs a tenth of it.
pub(crate) const STACK_BYTES: usize = 256 << 10;
/// The memory of a decision; the core's own needs two megabytes for a batch of a thousand.
pub(crate) const MEMORY_BYTES: usize = 64 << 20;

/// Makes an engine. A target that is named gets code that runs on all its machines; otherwise the code is for this one.
/// `pooled` is for how many instances memory is reserved beforehand.
pub(crate) fn engine(target: Option<&str>, pooled: Option<u32>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    if let Some(target) = target {
        config.target(target)?;
    }
    config.wasm_component_model(true).consume_fuel(true).epoch_interruption(true);
    config.max_wasm_stack(STACK_BYTES);
    if let Some(instances) = pooled {
        let mut limits = PoolingAllocationConfig::new();
        limits.total_component_instances(instances).total_core_instances(instances * 4);
        limits.total_memories(instances).total_tables(instances * 4);
        limits.max_memory_size(MEMORY_BYTES);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(limits));
    }
    Engine::new(&config)
}
