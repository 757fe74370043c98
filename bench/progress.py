# SPDX-License-Identifier: MIT
"""How far a run is, and how long the rest takes."""

import shutil
import sys
import time

WIDTH = 24


def duration(seconds):
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"


class Progress:
    """A bar on the last line of a terminal; nothing where the stream is a file or a pipe.

    Each row is taken to need as long as any other, whatever the number of its processes.
    """

    def __init__(self, rows, stream=sys.stderr, clock=time.monotonic):
        self.rows, self.stream, self.clock = rows, stream, clock
        self.start, self.terminal = clock(), stream.isatty()
        self.rows_begun, self.name, self.processes, self.done = 0, "", 1, 0

    def begin_row(self, name, processes):
        self.rows_begun += 1
        self.name, self.processes, self.done = name, max(1, processes), 0

    def share(self):
        row = min(1, self.done / self.processes)
        return max(0, self.rows_begun - 1 + row) / self.rows

    def left(self):
        """As `, about 4 min left`; empty as long as nothing is known."""
        share = self.share()
        if share == 0:
            return ""
        return f", about {duration((self.clock() - self.start) * (1 - share) / share)} left"

    def begin_process(self, what):
        """Draws the bar; the process counts as done when end_process is called."""
        if not self.terminal:
            return
        full = int(self.share() * WIDTH)
        line = (
            f"[{'#' * full}{'.' * (WIDTH - full)}] {100 * self.share():3.0f} %{self.left()}: "
            f"{self.name}, {what}"
        )
        columns = shutil.get_terminal_size().columns
        self.stream.write("\r\x1b[K" + line[: columns - 1])
        self.stream.flush()

    def end_process(self):
        self.done += 1

    def clear(self):
        """Before anything else is printed."""
        if self.terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
