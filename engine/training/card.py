"""Steps on a card: images and targets lie there, the host draws ahead and waits for nothing, the step is a CUDA graph.

The card is told of a whole block of steps in one transfer, and repeats one captured step. The same step, told operation
by operation ("eager"), is the reference, and what goes on where a capture fails.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, cast

import torch
from torch import Tensor

from engine.training.batches import Batches, Drawn, Inputs, RowTables, batch_of, read_ahead
from engine.training.state import Rates, State
from engine.training.steps import Say, all_tables, rates_at, seed_layers

BLOCK_STEPS = 64  # ours: a transfer and a wait in so many steps are not seen, and a cancelled run ends in a second
BLOCK_BYTES = 64 * 2**20  # ours: with pixels among what is sent, blocks are shorter
TABLES_SHARE = 0.5  # ours, of the free memory: the rest is for the step itself and for evaluation
WARM_UP_STEPS = 3  # before a capture, which must find every library awake (PyTorch's notes on CUDA graphs)
BEHIND = 2  # blocks that the card may lag behind the host: so many steps at most pass after a cancellation
_ALIGNED = 16  # bytes; any number type may begin there

Drawing: TypeAlias = Callable[[int], Mapping[str, Drawn]]  # all that a step of that number draws, by group


class CardSteps:
    """Takes steps on a card; operation by operation where `capture` is false, as it is on another device."""

    def __init__(self, state: State, batches: Batches, say: Say) -> None:
        self.state, self.batches, self.say = state, batches, say
        self.capture = state.device.type == "cuda"
        state.hold_momentum()
        tables = all_tables(state.objective, batches)
        self.there = placed(tables, state.device)
        self.read_ahead = {name: table for name, table in tables.items() if name not in self.there}
        self.graph: torch.cuda.CUDAGraph | None = None
        self.blocks: Blocks | None = None

    def take(self, step: int) -> None:
        """Enqueue the step; returns before the card has done it."""
        if self.blocks is None:
            self.blocks = Blocks(self._drawn, step, self.state.spec.steps, self.state.device)
        self.blocks.lay_out(step)
        if self.capture and self.graph is None:
            self._capture()
        seed_layers(self.batches.seed, step)
        if self.graph is None:
            self._eager()
        else:  # with the seed of now: a replay reads it, and counts random numbers from 0
            self.graph.replay()

    def begin_anew(self) -> None:
        """The graph is of another step than the next one."""
        self.graph = None
        if self.state.device.type == "cuda":
            torch.cuda.empty_cache()

    def close(self) -> None:
        """End the thread that draws."""
        if self.blocks is not None:
            self.blocks.close()

    def _drawn(self, step: int) -> Mapping[str, Drawn]:
        """All that differs from step to step, on the CPU."""
        state = self.state
        inputs = read_ahead(state.objective.inputs(self.batches, step), self.read_ahead)
        rates = rates_at(state.spec, state.objective, step)
        drawn: dict[str, Drawn] = {"rates": {name: torch.tensor(value) for name, value in rates.items()}}
        drawn.update(inputs.items())
        return drawn

    def _eager(self) -> None:
        assert self.blocks is not None
        laid_out = dict(self.blocks.current)
        rates = Rates(**laid_out.pop("rates"))
        inputs = cast(Inputs, laid_out)  # what is left are the groups
        self.state.step(batch_of(inputs, self.there, self.state.spec.batch_norm), rates)

    def _capture(self) -> None:
        """Make the graph. Whatever was tried for it is put back, so that the step comes after those before it alone.

        Raises torch.OutOfMemoryError.
        """
        before = [(value, value.clone()) for value in self.state.tensors()]
        try:
            self.graph = self._captured()
        except RuntimeError as error:
            if _lacks_memory(error):
                raise torch.OutOfMemoryError(str(error)) from error
            self.capture = False
            self.say(f"The step could not be captured as a CUDA graph, so that training is slower: {error}")
        finally:
            self.state.optimizer.zero_grad(set_to_none=True)
            self.state.forget_losses()
            for value, earlier in before:
                value.copy_(earlier)

    def _captured(self) -> torch.cuda.CUDAGraph:
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        aside.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP_STEPS):
                    self._eager()
        finally:  # what is put back afterwards comes after what was tried
            torch.cuda.current_stream().wait_stream(aside)
        self.state.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        # The thread that draws may wait for an event meanwhile, which a capture of all threads would refuse.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._eager()
        return graph


class Blocks:
    """What steps draw, a block ahead of them: drawn by a thread, in pinned memory, sent in one transfer.

    current: views `[B, ...]` on the device, always at one place, of what the step laid out last has drawn.
    """

    def __init__(self, drawn: Drawing, first: int, last: int, device: torch.device) -> None:
        self.drawn, self.last, self.device = drawn, last, device
        self.layout = Layout(drawn(first))
        self.steps = max(1, min(BLOCK_STEPS, BLOCK_BYTES // self.layout.bytes))
        self.on_card = device.type == "cuda"
        shape = (self.steps, self.layout.bytes)
        self.sent = [torch.empty(shape, dtype=torch.uint8, pin_memory=self.on_card) for _ in range(2)]
        self.free: list[torch.cuda.Event | None] = [None, None]  # when each of the two has been read by the card
        self.there = torch.empty(shape, dtype=torch.uint8, device=device)
        self.row = torch.empty(self.layout.bytes, dtype=torch.uint8, device=device)
        self.current = self.layout.views(self.row)
        self.begins, self.place = first, 1
        self.ends: deque[torch.cuda.Event] = deque()
        self.thread = ThreadPoolExecutor(1, "draws of steps")
        self.ahead: Future[None] = self.thread.submit(self._prepare, first, 0)
        self.next = first

    def lay_out(self, step: int) -> None:
        """Make a step's draws the current ones. Steps come in order; one may come twice in a row."""
        if step >= self.next:
            self._send()
        self.row.copy_(self.there[step - self.begins])

    def close(self) -> None:
        """End the thread."""
        self.thread.shutdown(cancel_futures=True)

    def _send(self) -> None:
        """Send the block that is ready, and have the one after it drawn."""
        if self.on_card:
            self._keep_near()
        self.ahead.result()
        self.place = 1 - self.place
        self.there.copy_(self.sent[self.place], non_blocking=True)
        if self.on_card:
            self.free[self.place] = _now()
        self.begins, self.next = self.next, self.next + self.steps
        if self.next < self.last:
            self.ahead = self.thread.submit(self._prepare, self.next, 1 - self.place)

    def _prepare(self, first: int, place: int) -> None:
        if (read := self.free[place]) is not None:
            read.synchronize()
        for row, step in zip(self.sent[place], range(first, min(first + self.steps, self.last)), strict=False):
            self.layout.write(row, self.drawn(step))

    def _keep_near(self) -> None:
        """Wait until the card is at most `BEHIND` blocks behind."""
        self.ends.append(_now())
        if len(self.ends) > BEHIND:
            self.ends.popleft().synchronize()


class Layout:
    """Where each tensor of a step lies in one row of bytes; it is the same for all steps."""

    def __init__(self, example: Mapping[str, Drawn]) -> None:
        self.places: dict[tuple[str, str], tuple[int, Tensor]] = {}  # where it begins, and one that is like it
        self.bytes = 0
        for group, drawn in example.items():
            for name, value in drawn.items():
                self.places[group, name] = (self.bytes, value)
                self.bytes += -(-value.nbytes // _ALIGNED) * _ALIGNED

    def views(self, row: Tensor) -> dict[str, dict[str, Tensor]]:
        """The tensors that lie in a row `[bytes]`."""
        found: dict[str, dict[str, Tensor]] = {}
        for (group, name), (begin, like) in self.places.items():
            value = row[begin : begin + like.nbytes].view(like.dtype).view(like.shape)
            found.setdefault(group, {})[name] = value
        return found

    def write(self, row: Tensor, drawn: Mapping[str, Drawn]) -> None:
        """Lay a step's tensors into a row."""
        for group, views in self.views(row).items():
            for name, view in views.items():
                view.copy_(drawn[group][name])


def placed(tables: RowTables, device: torch.device) -> RowTables:
    """The tables that fit on the card, there, beginning with the first; the others are read by the host, ahead."""
    room = room_on(device)
    found = {}
    for name, table in tables.items():
        if not table.by or table.nbytes <= room:
            found[name] = table.on(device)
            room -= table.nbytes
    return found


def room_on(device: torch.device) -> float:
    """Bytes that tables may take on a device; a CPU reads them where they are."""
    return TABLES_SHARE * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0.0


def _now() -> torch.cuda.Event:
    """Happens when the card has done all that it was told so far."""
    event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
    event.record()
    return event


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether an error is of memory, or came while one of memory was handled: a capture ends with errors of its own."""
    while error is not None and not isinstance(error, torch.OutOfMemoryError):
        error = error.__context__
    return error is not None
