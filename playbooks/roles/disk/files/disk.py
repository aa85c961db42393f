"""A whole disk on its way to an image, on the target: `disk.py WHAT WANTED`, both told by the role.

`disk.raw` is what the source has, block by block; a later copy moves only blocks that differ (M2).
`disk.qcow2` is made of it, and handed in. Standard library only, and Python 3.6.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial

import blocks
from ends import ComplaintError, tell
from images import MARK, Images, same
from notes import Meter, forget, load, save
from source import BLOCK

CONVERTED = re.compile(rb"\((\d+\.\d+)/100%\)")


class Work:
    """One run; `wanted` is as `vars/main.yml` of the role has it."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.raw = os.path.join(wanted["folder"], "disk.raw")
        self.qcow2 = os.path.join(wanted["folder"], "disk.qcow2")
        self.seen = os.path.join(wanted["folder"], "disk.read")
        self.made = os.path.join(wanted["folder"], "disk.made")
        self.asked = os.path.join(wanted["folder"], "disk.image")
        self.mark = wanted["image"]["mark"]
        self.meter = Meter(wanted["kib_s"])

    def images(self):
        """Log in to the region."""
        return Images(self.wanted["region"], os.environ["DISK_PASSWORD"])

    def plan(self):
        """Say how much room there is; refuse what lacks."""
        for program in self.programs():
            if shutil.which(program) is None:
                more = "" if program == "qemu-img" else ", or let `drivers` be kept"
                raise ComplaintError(
                    "there is no %s on %s: install it%s" % (program, self.wanted["target"], more)
                )
        found = self.images().named(self.wanted["image"]["name"])
        if any(one.get(MARK) != self.mark for one in found):
            raise ComplaintError(
                "there is an image %s already: choose another name" % self.wanted["image"]["name"]
            )
        folder = self.wanted["folder"]
        while not os.path.exists(folder):
            folder = os.path.dirname(folder)
        room = os.statvfs(folder)
        return {"room": room.f_bavail * room.f_frsize, "drivers": self.wanted["drivers"]}

    def programs(self):
        """Return what has to be there."""
        return ["qemu-img"] + (["virt-v2v"] if self.wanted["drivers"] == "virtio" else [])

    # --- Copying ---

    def sync(self):
        """Copy; for a test and at the end, make an image of it and hand that in."""
        told = self.fetch()
        if self.wanted["mode"] in ("test", "final"):
            told.update(self.convert())
            told.update(self.upload())
        return told

    def fetch(self):
        """Bring `disk.raw` to what the source has; note what that was."""
        os.makedirs(self.wanted["folder"], mode=0o700, exist_ok=True)
        forget(self.seen)
        with open(self.raw, "r+b" if os.path.exists(self.raw) else "w+b", buffering=0) as raw:
            told = blocks.passed(
                self.wanted, raw, partial(blocks.keep, raw, self.meter), raw.truncate
            )
        save(self.seen, told)
        return {"bytes": self.meter.moved, "bytes_total": told["size"], "digest": told["sha256"]}

    def convert(self):
        """Make `disk.qcow2`, unless it is made of the same already."""
        read = load(self.seen)
        if not read:
            raise ComplaintError("the disk was not read to its end")
        if load(self.made) == read and os.path.exists(self.qcow2):
            return {}
        forget(self.made)
        if self.wanted["drivers"] == "virtio":
            self.given_drivers()
        else:
            self.converted(read["size"])
        save(self.made, read)
        return {"image_bytes": os.path.getsize(self.qcow2)}

    def converted(self, size):
        """Let qemu-img do it, and say how far it is."""
        command = ["qemu-img", "convert", "-p", "-f", "raw", "-O", "qcow2", self.raw, self.qcow2]
        work = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for told in iter(lambda: os.read(work.stdout.fileno(), 4096), b""):
            shares = CONVERTED.findall(told)
            if shares:
                self.meter.beside = int(float(shares[-1]) / 100 * size)
                self.meter.count(0)
        said = work.stderr.read().decode("utf-8", "replace").strip()
        if work.wait():
            raise ComplaintError("qemu-img: %s" % said[-500:])

    def given_drivers(self):
        """Let virt-v2v make a guest of it that knows virtio."""
        folder = os.path.join(self.wanted["folder"], "v2v")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        words = [
            "-i",
            "disk",
            self.raw,
            "-o",
            "local",
            "-os",
            folder,
            "-of",
            "qcow2",
            "-on",
            "disk",
        ]
        work = subprocess.run(["virt-v2v", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if work.returncode:
            said = work.stderr.decode("utf-8", "replace").strip()
            raise ComplaintError("virt-v2v: %s" % said[-500:])
        os.rename(os.path.join(folder, "disk-sda"), self.qcow2)
        shutil.rmtree(folder)

    def upload(self):
        """Hand the image in, unless the service has it already."""
        read, images = load(self.seen), self.images()
        if not read or load(self.made) != read:
            raise ComplaintError("the image was not made to its end")
        for image in images.marked(self.mark):
            if image.get("govcloud_digest") == read["sha256"] and image["status"] == "active":
                return self.handed_in(image, 0)
            images.delete(image)
        save(self.asked, {"mark": self.mark})
        image = images.create(self.fields(read))
        images.fill(image, self.qcow2, self.meter.count)
        image = images.settled(image)
        wrong = same(image, self.qcow2)
        if wrong:
            images.delete(image)
            raise ComplaintError(wrong)
        return self.handed_in(image, os.path.getsize(self.qcow2))

    @staticmethod
    def handed_in(image, uploaded):
        """Say what was handed in."""
        return {"image": image["name"], "image_id": image["id"], "uploaded": uploaded}

    def fields(self, read):
        """Return what the image is called, and what it carries from the beginning on."""
        about = self.wanted["image"]["about"]
        own = {
            "govcloud_%s" % name: str(about[name])
            for name in ("department", "system", "wave", "request")
            if about.get(name)
        }
        fixed = {
            "name": self.wanted["image"]["name"],
            "disk_format": "qcow2",
            "container_format": "bare",
            "visibility": "private",
            "min_disk": -(-read["size"] // (1 << 30)),
            MARK: self.mark,
            "govcloud_digest": read["sha256"],
        }
        given = {name: str(value) for name, value in self.wanted["image"]["properties"].items()}
        return dict(given, **dict(own, **fixed))

    # --- Comparing, and taking back ---

    def verify(self):
        """Compare the source, what was read of it, the image made of that, the one handed in."""
        wrong = []
        compared = os.path.getsize(self.raw)
        with open(self.raw, "rb", buffering=0) as raw:
            if self.wanted["mode"] == "test":
                # The source goes on meanwhile: compared is with what was read.
                if blocks.sha256(raw) != load(self.seen).get("sha256"):
                    wrong.append("what was read of the disk is not what is here")
            else:
                differ = []
                noted = blocks.passed(self.wanted, raw, lambda number, _: differ.append(number))
                wrong += ["the disk at %d" % (number * BLOCK) for number in differ]
                size = noted["size"]
                if size != compared:
                    wrong.append("the disk has %d bytes, and %d are here" % (size, compared))
        if os.path.exists(self.made):
            wrong += self.image_wrong()
        return {"compared": compared, "differences": len(wrong), "first": wrong[:5]}

    def image_wrong(self):
        """Return what is wrong with the image."""
        wrong = []
        if load(self.made) != load(self.seen):
            wrong.append("the image was made of an earlier copy")
        if self.wanted["drivers"] == "kept":
            command = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", self.raw, self.qcow2]
            pipe = subprocess.PIPE
            done = subprocess.run(command, stdout=pipe, stderr=pipe, universal_newlines=True)
            if done.returncode:
                wrong.append("the image: %s" % (done.stdout or done.stderr).strip()[:300])
        found = self.images().marked(self.mark)
        if len(found) != 1 or found[0].get("status") != "active":
            return [*wrong, "the image service has %d such images" % len(found)]
        return wrong + [one for one in [same(found[0], self.qcow2)] if one]

    def undo(self):
        """Take the image away; what was read stays for the next copy, unless it was aborted."""
        kept = []
        # Where none was ever handed in, the region need not answer.
        if os.path.exists(self.asked):
            images = self.images()
            found = images.marked(self.mark)
            kept = ["image %s (in use)" % one["name"] for one in found if not images.delete(one)]
        for file in (self.qcow2, self.made):
            forget(file)
        if not kept:
            forget(self.asked)
        if kept and self.wanted["mode"] in ("test", "aborted"):
            raise ComplaintError("%s cannot be deleted" % kept[0])
        if self.wanted["mode"] in ("test", "aborted"):
            return {}
        return {"written_since": 0, "kept_in": ", ".join(kept)}


if __name__ == "__main__":
    tell(getattr(Work(json.loads(sys.argv[2])), sys.argv[1]))
