"""The size of a job, read from its configuration and its data as the program reads them; nothing is trained."""

from benchmarks.job_cost import JobSize
from pipeline.config.schema import Config
from pipeline.data.prepared import PreparedData
from pipeline.models.cells import WRITTEN_OUT
from pipeline.models.plan import GATES, plan_layers
from pipeline.training.cores import count_cores
from pipeline.training.devices import ON_CORES, count_numbers
from pipeline.training.engine import choose_engine
from pipeline.training.groups import count_parts, seeds_per_group
from pipeline.training.plans import count_rows_at_once


def read_size(config: Config, data: PreparedData) -> JobSize:
    """Return the size of a job that the fused engine trains on the cores."""
    network, windows = choose_engine(config, data).network, data.windows
    assert network is not None, "the engine fit trains it, which has another cost"
    layers = plan_layers(config, *windows.interface)
    recurrent = [layer for layer in layers if layer.cell is not None]
    places = seeds_per_group(config, network)
    parts = count_parts(config, network, ON_CORES)
    everything, steps = len(windows.starts), config.time_steps
    read = (len(windows.validation) * steps, everything * steps)
    if config.stateful:  # the state carries what is before: each row once, one after another
        read = (int(windows.validation[-1]) + 1, int(windows.starts[-1]) + 1)
    more = steps - 1 if steps <= WRITTEN_OUT else 0
    return JobSize(
        loops=len(recurrent) * parts,
        compiled=len(recurrent) * (parts + 2 * (config.stateful or steps > 1)),
        written=len(recurrent) * more * (parts + 2 * (not config.stateful)),
        seeds=config.seeds,
        groups=-(-config.seeds // places),
        places=places,
        epochs=config.training.epochs,
        batches=-(-len(windows.train) // config.batch_size) if data.lanes is None else len(data.lanes.weights),
        batch_size=config.batch_size,
        time_steps=steps,
        steps_read=read if config.stateful else (steps, steps),
        rows_read=read,
        block=min(read[1], count_rows_at_once(config, windows.num_outputs)),
        windows=everything,
        kept=data.head.kept(windows.num_outputs),
        multiplications=sum(GATES[each.cell] * each.outputs * (each.inputs + each.outputs) for each in recurrent),
        units=sum(GATES[each.cell] * each.outputs for each in recurrent),
        weights=sum(layer.num_parameters for layer in layers),
        numbers=count_numbers(config, data, layers),
        data=data.series.values.nbytes,
        cores=count_cores(),
    )
