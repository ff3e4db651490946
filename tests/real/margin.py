# SPDX-License-Identifier: Apache-2.0
"""How far is each rule from speaking out of turn? Everything of which a finding needs so much, divided."""
from case import rules_listed

PROFILES = {"attach": "production", "run": "test"}  # what each leg takes without being asked
# No amounts: parts of a whole, how far back is looked, and what the rule speaks of in the first place.
KEPT = {"share", "own_share", "fast_share", "idle_share", "accepted_share", "full_share", "crowded_share", "same", "waste",
        "herd_waste", "window_s", "idle_window_s", "turn_s", "waiters", "maxevents", "leaks", "bytes", "no_busy_poll"}


def divided(margin):
    """Leg -> options of epaudit: all amounts divided by `margin`."""
    rules = rules_listed()
    return {leg: [word for rule in rules for threshold in rule["thresholds"] if threshold["name"] not in KEPT
                  for word in ("--set", f"{rule['id']}.{threshold['name']}={threshold[profile] / margin:g}")]
            for leg, profile in PROFILES.items()}
