"""Words of the timeline that more than one room knows: written by who drives, read by who judges.

A row of a service has that service as its subject, one of a barrier its number, a closed subscription its name. A row
of a fault has the subject of the fault; its detail holds `step` (of the plan), `name` (of the fault) and what else is
named here. A fault without proof makes a scenario inconclusive (architecture, 3 and 6).
"""

SERVICE_READY = "service_ready"
"""A process serves, for the first time or again; detail: who it is, its `boot_id`, and what its profile declares."""
SERVICE_DIED = "service_died"
"""It ended and nothing in the plan made it; detail: `exit_code`, `log_tail`."""
SERVICE_STOPPED = "service_stopped"
"""The harness ended it; detail: `exit_code`."""
SUBSCRIPTION_CLOSED = "subscription_closed"
"""A subscriber is done; detail: `reason`, and how far it came (`applied`, `seen`)."""
BARRIER_REACHED = "barrier_reached"
"""A subscription or a relay came to the sentinel; detail: `subscription` or `relay`, and where it stood."""
BARRIER_MISSED = "barrier_missed"
"""It did not within the bound; detail: the same."""

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
