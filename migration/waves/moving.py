"""What a person does to a plan: move a system into another wave. Pure."""

from migration.waves.model import PlannedSystem, PlannedWave, WavePlanSpec


def moved(plan: WavePlanSpec, system: str, wave: str, why: str | None = None) -> WavePlanSpec:
    """Return the plan with a system in another wave; KeyError names what is not in it."""
    names = [one.name for one in plan.waves]
    listed = {entry.system for one in plan.waves for entry in one.systems}
    listed |= {entry.system for entry in plan.held}
    for word, known in ((wave, names), (system, listed)):
        if word not in known:
            raise KeyError(word)
    entry = PlannedSystem(system=system, why=why)
    waves = [_with(one, entry, wave) for one in plan.waves]
    held = [one for one in plan.held if one.system != system]
    return plan.model_copy(update={"waves": waves, "held": held})


def _with(wave: PlannedWave, entry: PlannedSystem, target: str) -> PlannedWave:
    systems = [one for one in wave.systems if one.system != entry.system]
    if wave.name == target:
        systems = sorted([*systems, entry], key=lambda one: one.system)
    return wave.model_copy(update={"systems": systems})
