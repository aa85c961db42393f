"""Watches: a list of each type once, then what changes, until the server forgets where we were.

Every type has a thread that reads its stream. What is told are uids of objects of which something
that we compare has changed: a quota whose use moves with every pod is no news.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from urllib3 import BaseHTTPResponse

from govcloud.errors import CloudError, TransientCloudError
from govcloud.ports.abilities import Stop
from govcloud.ports.cloud import Observed
from provisioners.kubernetes.classes import StorageClasses
from provisioners.kubernetes.errors import Answer, error_of
from provisioners.kubernetes.listing import Listing
from provisioners.kubernetes.marks import EVERYTHING
from provisioners.kubernetes.memory import Begun, Memory
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.strays import Strays
from provisioners.kubernetes.types import TYPES, Type

LOG: Final = logging.getLogger(__name__)
Json = dict[str, Any]
_LISTEN_S: Final = 300
"""How long one watch lasts: each end costs a call, and a connection that died silently is noticed
only then."""
_LOOK_S: Final = 0.2
"""Between looks at `stop`; nothing is asked of the server."""
_GATHER_S: Final = 0.1
"""What comes within this time is told together: whoever listens asks the database each time."""
_TOO_SOON_S: Final = 2.0
_END_S: Final = 10.0
"""How long a stream may take to end when it is hung up: an answer may just be coming in."""
News = SimpleQueue[str | CloudError]


class Watcher:
    """Watches all types of one cluster; what it remembers lives from one `changes` to the next."""

    def __init__(
        self,
        session: Session,
        installation: str,
        page_size: int,
        strays: Strays,
        classes: StorageClasses,
    ) -> None:
        self._session = session
        self._page_size = page_size
        self.begun = Begun()
        self.memories: Mapping[str, Memory] = {
            kind.word: Memory(kind, installation, self.begun, strays, lambda: classes.known)
            for kind in TYPES
        }
        self._streaming: set[str] = set()
        self._listed: set[str] = set()
        self._untold: dict[str, None] = {}

    def knows(self, uid: str) -> bool:
        """Whether anything of an object was seen and is not gone."""
        return any(memory.knows(uid) for memory in self.memories.values())

    def keeps(self, uid: str) -> bool:
        """Whether all that there is of an object is kept here: it was begun here, and we listen."""
        return self.live and uid in self.begun and self.knows(uid)

    def recall(self, seen: Observed) -> Observed | None:
        """Return a thing as it was last told of; None where nobody would tell what became of it."""
        return self.memories[seen.type].get(seen.id) if self.live else None

    @property
    def live(self) -> bool:
        """Whether all streams are open, so that what is remembered is what there is."""
        return len(self._streaming) == len(TYPES)

    def changes(self, stop: Stop) -> Iterator[Sequence[str]]:
        """Yield what changes, until `stop`; raises CloudError as soon as one stream fails."""
        news: News = SimpleQueue()
        # A stream of before that ends late takes itself off a set of its own.
        self._streaming = streaming = set[str]()
        streams = [_Stream(self, kind, news, streaming) for kind in TYPES]
        for stream in streams:
            stream.start()
        try:
            while not (stop.is_set() or self.live):
                self._gather(news)
            yield self._told()
            while not stop.is_set():
                self._gather(news)
                yield self._told()
        finally:
            for stream in streams:
                stream.end()
            for stream in streams:
                stream.join()
            while not news.empty():
                with contextlib.suppress(CloudError):
                    self._heed(news.get())

    def _gather(self, news: News) -> None:
        """Take what has come, at once or after a short while; raises what a stream failed with."""
        with contextlib.suppress(Empty):
            self._heed(news.get(timeout=_LOOK_S))
            until = time.monotonic() + _GATHER_S
            while True:
                self._heed(news.get(timeout=max(until - time.monotonic(), 0)))

    def _heed(self, said: str | CloudError) -> None:
        """Keep an object until it is told: it is remembered, and no list makes news of it again."""
        if isinstance(said, CloudError):
            raise said
        self._untold[said] = None

    def _told(self) -> Sequence[str]:
        """Return what was gathered, once."""
        told, self._untold = list(self._untold), {}
        return told

    def listed(self, kind: Type, news: News) -> str:
        """List a type; tell what has changed since it was last known. Returns the version.

        Of the first list nothing is told: what is there when we begin is the comparison's to judge.
        """
        memory, found = self.memories[kind.word], set[str]()
        first = kind.word not in self._listed
        listing = Listing(self._session, kind, self._page_size, EVERYTHING)
        for page in listing:
            for item in page:
                found.add(item["metadata"]["uid"])
                self._tell(news, memory.note(item), known=first)
        self._tell(news, memory.keep_only(found, listing.version), known=first)
        self._listed.add(kind.word)
        return listing.version

    @staticmethod
    def _tell(news: News, uids: Sequence[str], *, known: bool) -> None:
        """Tell what is news to whoever listens."""
        if not known:
            for uid in uids:
                news.put(uid)

    def heard(self, event: Json, kind: Type, news: News) -> str:
        """Take in one event and return the version that it leads to; raises CloudError."""
        item = event["object"]
        if event["type"] == "ERROR":
            raise error_of(Answer(int(item.get("code") or 500), item, {}, writing=False))
        if event["type"] != "BOOKMARK":
            memory = self.memories[kind.word]
            gone = event["type"] == "DELETED"
            uids = memory.lose(item) if gone else memory.note(item)
            # What bears our mark and is new was made by one of ours.
            self._tell(news, uids, known=event["type"] == "ADDED")
        return str(item["metadata"]["resourceVersion"])

    def remember(self, item: Json, seen: Observed) -> None:
        """Take in what the server has answered to ourselves: the stream will bring no news."""
        if seen.type in self._listed:
            self.memories[seen.type].note(item, seen)

    def forget(self, item: Json, kind: Type) -> None:
        """Take in that we have removed something, as it was when we did."""
        if kind.word in self._listed:
            self.memories[kind.word].lose(item)

    def stream(self, kind: Type, version: str) -> Any:
        """Open the stream of a type from a version on."""
        return self._session.stream(
            kind.everywhere,
            watch=True,
            resourceVersion=version,
            allowWatchBookmarks=True,
            timeoutSeconds=_LISTEN_S,
            labelSelector=EVERYTHING,
        )


class _Stream:
    """The thread that listens to one type."""

    def __init__(self, watcher: Watcher, kind: Type, news: News, streaming: set[str]) -> None:
        self._watcher = watcher
        self._kind = kind
        self._news = news
        self._streaming = streaming
        self._ended = threading.Event()
        self._open: BaseHTTPResponse | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch-{kind.word}", daemon=True)

    def start(self) -> None:
        """Begin to list and listen."""
        self._thread.start()

    def end(self) -> None:
        """Hang up; the thread ends by itself."""
        self._ended.set()
        response = self._open
        if response is not None:
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                response.shutdown()

    def join(self) -> None:
        """Wait until the thread has ended: what it hears late would be told to nobody."""
        self._thread.join(_END_S)

    def _run(self) -> None:
        try:
            version = ""
            while not self._ended.is_set():
                version = self._listen(version or self._watcher.listed(self._kind, self._news))
        except CloudError as error:
            self._fail(error)
        except Exception as error:  # whoever listens shall know and begin anew
            LOG.exception("the stream of %s stumbled", self._kind.plural)
            self._fail(TransientCloudError("InternalError", type(error).__name__))

    def _fail(self, error: CloudError) -> None:
        if not self._ended.is_set():
            self._news.put(error)

    def _listen(self, version: str) -> str:
        """Listen from a version on; return the one to go on from, empty to list anew.

        A server that hangs up at once is not asked again and again: that is an error.
        """
        began = time.monotonic()
        try:
            with self._watcher.stream(self._kind, version) as response:
                self._open = response
                if self._ended.is_set():
                    return version
                self._streaming.add(self._kind.word)
                for line in _lines(response):
                    version = self._watcher.heard(json.loads(line), self._kind, self._news)
        except CloudError as error:
            if error.reason != "Expired":
                raise
            return ""
        finally:
            self._streaming.discard(self._kind.word)
            self._open = None
        if time.monotonic() - began < _TOO_SOON_S and not self._ended.is_set():
            raise TransientCloudError("ConnectionLost", f"{self._kind.plural}: watch ended at once")
        return version


def _lines(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield whole lines; half a line at the end is dropped, its event comes again."""
    rest = b""
    for piece in response.stream(amt=None, decode_content=False):
        *lines, rest = (rest + piece).split(b"\n")
        yield from filter(None, lines)
