"""Words of the timeline that a fault is told in: written by who drives, read by who judges.

Each row's subject is that of the fault; its detail holds `step` (of the plan), `name` (of the fault) and what else is
named here. A fault without proof makes a scenario inconclusive (architecture, 3 and 6).
"""

FAULT = "fault"
"""It is about to be done; detail: `kind`."""
FAULT_PROVEN = "fault_proven"
"""It took effect; detail: `proof`, what was seen of it. A wire fault that passes later is proven when it passes."""
FAULT_UNPROVEN = "fault_unproven"
"""It could not be done, or nothing was seen of it; detail: `why`."""
HEALED = "healed"
"""It is over; detail: `proof`, what was seen of that. The subject of a killed service is announced again before."""
HEAL_FAILED = "heal_failed"
"""It could not be ended; detail: `why`."""
