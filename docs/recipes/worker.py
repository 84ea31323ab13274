"""A worker that never misses a message, in Python, with nothing but its standard library.

    python3 worker.py URL CHANNEL STATE

It handles each message and writes the position of what it handled to the file STATE in the same step (here:
a line of output and the position, in one write that is flushed to the disk). Killed at any moment it goes on
with the message behind the last one it handled. What it may see is a gap: messages that were no longer
stored when it came back.
"""
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

PING_SECONDS = 15
# A connection on which nothing came for so long is dead, whatever TCP says.
SILENCE_SECONDS = 2 * PING_SECONDS + 5


class State:
    """Output and position in one file: a line each, `position TAB message`. The last whole line says where we
    are, so a message of several lines is written as one."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "a+b")
        self.file.seek(0)
        lines = self.file.read().split(b"\n")
        # What is behind the last line end was cut off by our death: it counts as not handled.
        if lines[-1]:
            self.file.truncate(sum(len(line) + 1 for line in lines[:-1]))
        done = [line for line in lines[:-1] if line]
        self.position = done[-1].split(b"\t")[0].decode() if done else ""

    def handled(self, position: str, text: str) -> None:
        one_line = text.replace("\\", "\\\\").replace("\n", "\\n")
        self.file.write(f"{position}\t{one_line}\n".encode())
        self.file.flush()
        os.fsync(self.file.fileno())
        self.position = position


def follow(url: str, channel: str, state: State) -> None:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
    # The first start of all: everything that is stored.
    first = "" if state.position else ".b65535"
    if state.position:
        headers["Last-Event-ID"] = state.position
    request = urllib.request.Request(f"{url}/ev/{channel}{first}", headers=headers)
    with urllib.request.urlopen(request, timeout=SILENCE_SECONDS) as stream:
        position, kind, data = "", "message", []
        for raw in stream:
            line = raw.decode().rstrip("\n")
            if line.startswith("id: "):
                position = line[4:]
            elif line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif line == "":
                if kind == "message" and data and position:
                    state.handled(position, "\n".join(data))
                elif kind == "gap":
                    lost = json.loads(data[0])
                    # Here a worker that must have everything reads it from where the messages come from.
                    state.handled(position or state.position, f"GAP {lost['missed']}")
                position, kind, data = "", "message", []


def main() -> None:
    url, channel, path = sys.argv[1:4]
    state = State(path)
    failures = 0
    while True:
        began = time.monotonic()
        try:
            follow(url, channel, state)
        except urllib.error.HTTPError as error:
            if error.code not in (408, 425, 429, 500, 502, 503, 504):
                raise
        except (OSError, ValueError):
            pass  # it broke, or was silent for too long
        failures = 0 if time.monotonic() - began > 5 else failures + 1
        time.sleep(random.uniform(0, min(10, 0.1 * 2**failures)))


if __name__ == "__main__":
    main()
