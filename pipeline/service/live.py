"""The model that is served at this moment, its lanes, and what keeps them; another model may take over."""

import asyncio
from collections.abc import Callable

from pipeline.base.errors import PipelineError, UserError
from pipeline.service.batcher import Batcher
from pipeline.service.desk import Desk
from pipeline.service.keeper import Keeper
from pipeline.serving.state_file import SavedState


class Live:
    """One service.

    Args:
        desk: The lanes of the model.
        run_id: Of the run that is served.
        keeper: Keeps them over the end of the process; None: nothing does.
        durable: Whether rows must be on the disk before they are answered.
    """

    def __init__(self, desk: Desk, run_id: str, keeper: Keeper | None, durable: bool) -> None:
        self.batcher = Batcher(desk, durable)
        self.run_id = run_id
        self.keeper = keeper

    @property
    def desk(self) -> Desk:
        """The lanes."""
        return self.batcher.desk

    async def put_lane(self, state: SavedState) -> None:
        """Let a lane remember something else, between two takes; on the disk before this returns.

        Raises:
            UserError: If it is the state of another model, or there are too many lanes.
            OSError: If it could not be saved.
        """
        await self.batcher.pause(lambda: self.desk.put_lane(state))
        if self.keeper is not None:
            await self.keeper.save_beside(self.batcher)

    async def follow(
        self, seconds: float, find: Callable[[], str], open_desk: Callable[[str], Desk], say: Callable[[str], None]
    ) -> None:
        """Look every so many seconds which run is meant by now, and let another one take over.

        Args:
            seconds: Between two looks.
            find: Says which run is meant.
            open_desk: Opens the lanes of a run, after its history.
            say: Told of a run that took over, or why it could not.
        """
        refused = run_id = ""
        while True:
            await asyncio.sleep(seconds)
            try:
                run_id = await asyncio.to_thread(find)
                if run_id not in (self.run_id, refused):
                    count = await self.hand_over(run_id, await asyncio.to_thread(open_desk, run_id))
                    say(f"run {run_id} has taken over; its lanes have read {count} row(s) that came after its history")
            except PipelineError as error:
                refused = run_id
                say(f"run {self.run_id} goes on: {error}")
            except Exception as error:  # a store that does not answer must stop no service
                say(f"run {self.run_id} goes on; which run is meant could not be asked: {error}")

    async def hand_over(self, run_id: str, desk: Desk) -> int:
        """Let the lanes of another model take over, which first read what those before them have kept.

        Returns:
            How many rows they have read.

        Raises:
            UserError: If its rows have other columns.
        """
        if not desk.reads_like(self.desk):
            raise UserError(f"run {run_id} reads other columns; start the service anew to serve it")
        kept = []
        await self.batcher.pause(lambda: kept.append((list(self.desk.lane_names()), self.desk.recent.copy())))
        count = await asyncio.to_thread(desk.read_kept, *kept[0])

        def swap() -> None:
            nonlocal count
            count += desk.read_kept(list(self.desk.lane_names()), self.desk.recent)  # came meanwhile
            desk.journal, self.desk.journal = self.desk.journal, None
            self.batcher.desk, self.run_id = desk, run_id

        await self.batcher.pause(swap)
        if self.keeper is not None:
            await self.keeper.try_to_save(self.batcher)
        return count
