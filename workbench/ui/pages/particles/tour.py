"""The guided tour of the page of particles."""

from workbench.ui.shell.toolbar import Stop

TOUR = (
    Stop(
        ".wb-stage[data-stage='0']",
        "Where the data are",
        "The behaviour flow turns noise into actions like those of the data. Shaded behind it: what the critic thinks of "
        "every action.",
    ),
    Stop(
        ".wb-stage[data-stage='1']",
        "The same noise, steered",
        "A rule pushes every particle along the critic's gradient. Press a particle: its arrows are the terms of its "
        "movement. Where there is a ⊕, drag it: that is where the reward has its peak.",
    ),
    Stop(
        ".wb-presets",
        "Four stories",
        "Each preset sets the strength of every rule so that its actions are equally far from the data.",
    ),
    Stop(".wb-policy-0", "A rule and its strength", "Every control answers at once; arrow keys work too."),
    Stop(
        ".wb-stage[data-stage='1'] .wb-large",
        "What it buys and what it costs",
        "Earned is what the actions bring, shift how far they are from the data's. Beside them stands by how much the critic "
        "is wrong about them. All other numbers are folded below; a tap on a word explains it.",
    ),
    Stop(
        ".wb-dial",
        "The budget dial",
        "Drag along the curves: the solid line is earned, the dashed one promised by the critic. What lies between them is "
        "what the critic is wrong by. The particles follow.",
    ),
    Stop(
        ".wb-ground",
        "Where is the critic wrong?",
        "Put the true reward behind the particles, or the critic's error, where the task knows it.",
    ),
    Stop(".wb-transport", "Flow time", "Drag it, or press play: noise at the left, actions at the right."),
)
