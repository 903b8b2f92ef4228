"""The model that is served at this moment, its lanes, and what keeps them."""

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

    async def put_lane(self, lane: str, state: SavedState) -> None:
        """Let a lane remember something else, between two takes; on the disk before this returns."""

        def put() -> None:
            self.desk.put_lane(state)

        await self.batcher.pause(put)
        if self.keeper is not None:
            await self.keeper.save_beside(self.batcher)
