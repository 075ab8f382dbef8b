"""Interprets a plan: commands, subscribers, faults, barriers, reads; records all of it and concludes nothing.

What it writes into the timeline (event, subject: detail), beside what `lanes` says of its services:

* `bound`, `run:<plan name>`: authority, id
* `sentinel`, barrier number: authority, stream, seq
* `barrier_reached` and `barrier_missed`, barrier number: of a subscriber subscription, stream, seq, last_seq; of a
  relay relay, stream, seq, appended, retained_from, last_error (reached: relay, streams); of a sentinel that was not
  accepted authority, stream, seq (null)
* `after_missed`, step: authority, stream, seq
* `not_opened`, `<step>/<side>`: within_s
* `subscription_closed`, `<step>/<side>`: subscriber, stream, reason, applied, seen, attempts
* `undecodable`, `<step>/<side>`: connection, error
* `unread`, stream or `outbox`: step, service, why
* `unsupported`, `<step>/<side>`: what, subscriber (an acknowledgement where the dialect keeps none)
* `fault`, `fault_proven`, `fault_unproven`, `healed`, `heal_failed`, subject of the fault: `harness.model.timeline`
* `stall`, `harness`: ms
* `run_finished` and `interrupted`, plan; `aborted`, plan: error

Reasons of `subscription_closed`: `until`, `unsubscribed`, `plan_end`, `until_missed`, `refused`, `reconnect_max`,
`rebootstrap_max`, `lane_died`, `interrupted`.
"""
