"""Which of my coroutines allocates, when I do not want to touch a single one of them?

    $ python examples/instrumented_tasks.py
    Crawler.crawl    1 calls   0 failed   23,958,870 B     749,038 B at most
    Crawler.fetch   40 calls   0 failed   23,902,649 B     151,199 B at most
    Crawler.index   40 calls   0 failed    5,179,089 B     103,698 B at most
    Crawler.check   40 calls   4 failed       19,440 B         880 B at most

One call before the event loop starts, and every task has a scope that is named after its coroutine
and lies within the scope of the task that started it: a figure contains those of the tasks below.
"""

from __future__ import annotations

import asyncio
import json

from allocmeter import report
from allocmeter.integrations.tasks import instrument_tasks

PAGES = 40


class Crawler:
    """The program: it knows nothing of what is measured."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}

    async def crawl(self) -> None:
        """Fetch all pages at once, and index each as soon as it is there."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(PAGES):
                tasks.create_task(self.fetch(number))

    async def fetch(self, number: int) -> None:
        """Fetch one page; every tenth is broken, which its task handles alone."""
        await asyncio.sleep(0.001)
        text = json.dumps([f"word{number + step}" for step in range(1_000)])
        results = await asyncio.gather(self.index(text), self.check(number), return_exceptions=True)
        del text, results

    async def index(self, text: str) -> None:
        """Count the words of a page."""
        for word in json.loads(text):
            self.words[word] = self.words.get(word, 0) + 1

    async def check(self, number: int) -> None:
        """Refuse some pages."""
        if number % 10 == 9:
            raise ValueError(number)


def main() -> None:
    """Run the program, and print what its tasks were charged for."""
    instrument_tasks()
    asyncio.run(Crawler().crawl())
    for row in sorted(report().rows, key=lambda row: -row.bytes_allocated.sum):
        if row.name.startswith("Crawler"):
            print(
                f"{row.name:<14} {row.count:>3} calls {row.errors:>3} failed"
                f" {row.bytes_allocated.sum:>12,} B {row.peak_bytes.max:>11,} B at most"
            )


if __name__ == "__main__":
    main()
