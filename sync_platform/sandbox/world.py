"""What all parts of the sandbox share: virtual time, switches, the call log, faults and the outbox."""

from pathlib import Path
from typing import Any

from sync_platform.sandbox.calls import RING, Calls
from sync_platform.sandbox.clock import Clock, iso
from sync_platform.sandbox.fault_plan import FAULT_KINDS, Fault, Faults
from sync_platform.sandbox.switches import Switches

__all__ = ["FAULT_KINDS", "RING", "Calls", "Clock", "Fault", "Faults", "Switches", "World", "iso"]


class World:
    """One sandbox: its directory, its seed, its time and everything that can be turned on the control port."""

    def __init__(
        self,
        data_dir: Path,
        *,
        seed: int = 1,
        rate_scale: float = 1.0,
        latency_ms: float = 0.0,
        erp_url: str | None = None,
    ) -> None:
        if not rate_scale > 0:
            raise ValueError("rate_scale must be greater than 0")
        self.data_dir = data_dir
        self.seed = seed
        self.rate_scale = rate_scale
        self.latency_ms = latency_ms
        self.erp_url = erp_url
        self.clock = Clock()
        self.switches = Switches()
        self.calls = Calls(self.clock)
        self.faults = Faults(self.clock.monotonic)
        self.outbox: list[dict[str, Any]] = []

    def now_iso(self) -> str:
        """The sandbox's present as ISO 8601 in UTC with milliseconds."""
        return iso(self.clock.now())

    def scaled(self, limit: int) -> int:
        """A vendor's limit under this sandbox's rate scale, at least 1."""
        return max(1, int(limit * self.rate_scale))
