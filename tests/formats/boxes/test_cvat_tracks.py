"""CVAT for video 1.1, spelt as CVAT 2 exports it: tracks become what each frame shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldb.formats.base import Trouble
from ldb.formats.boxes import cvat
from tests.formats.boxes.places import read, write

META = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id> <name>street</name> <size>4</size> <mode>interpolation</mode> <overlap>5</overlap>
      <created>2026-01-02 03:04:05.678901+00:00</created> <start_frame>10</start_frame>
      <stop_frame>16</stop_frame> <frame_filter>step=2</frame_filter>
      <labels><label><name>car</name><attributes><attribute><name>parked</name></attribute>
      </attributes></label></labels>
      <original_size> <width>8</width> <height>4</height> </original_size>
      <source>street.mp4</source>
    </task>
    <dumped>2026-01-03 03:04:05.678901+00:00</dumped>
  </meta>
"""
TRACKS = """  <track id="0" label="car" source="manual" group_id="3">
    <box frame="10" keyframe="1" outside="0" occluded="0" xtl="1.00" ytl="1.50" xbr="3.00" ybr="3.00" z_order="0">
      <attribute name="parked">true</attribute>
    </box>
    <box frame="12" keyframe="0" outside="0" occluded="1" xtl="1.50" ytl="1.50" xbr="3.50" ybr="3.00" z_order="0">
      <attribute name="parked">false</attribute>
    </box>
    <box frame="14" keyframe="1" outside="1" occluded="0" xtl="2.00" ytl="1.50" xbr="4.00" ybr="3.00" z_order="0">
    </box>
  </track>
  <track id="1" label="man" source="semi-auto">
    <skeleton frame="12" keyframe="1" z_order="1">
      <points label="head" keyframe="1" outside="0" occluded="1" points="5.00,1.00"></points>
      <points label="foot" keyframe="1" outside="1" occluded="0" points="5.00,3.00"></points>
    </skeleton>
    <skeleton frame="14" keyframe="1" z_order="1">
      <points label="head" keyframe="1" outside="1" occluded="0" points="5.00,1.00"></points>
    </skeleton>
  </track>
  <track id="2" label="road" source="file">
    <mask frame="10" keyframe="1" outside="0" occluded="0" rle="1, 2, 1" left="2" top="1" width="2" height="2" z_order="0">
    </mask>
  </track>
"""  # noqa: E501  (as it is)
END = "</annotations>\n"


def folder_of(root: Path, text: str, frames: tuple[int, ...] = (10, 12, 14, 16)) -> Path:
    (root / "images").mkdir(parents=True)
    for frame in frames:
        (root / f"images/frame_{frame:06d}.PNG").write_bytes(b"frame %d" % frame)
    (root / "annotations.xml").write_text(text)
    return root


def of(root: Path) -> tuple[dict[str, Any], list[Trouble]]:
    found, troubles = read(cvat.reader({}), root)
    return {Path(path).stem: value for path, value in found.items()}, troubles


def test_tracks_become_what_each_frame_shows(tmp_path: Path) -> None:
    found, troubles = of(folder_of(tmp_path, META + TRACKS + END))
    assert troubles == []
    assert sorted(found) == ["frame_000010", "frame_000012", "frame_000014"]
    car, road = found["frame_000010"]["objects"]
    own = {"track_id": 0, "source": "manual", "group_id": 3, "keyframe": 1, "z_order": 0}
    assert car == {
        "label": "car", "bbox": [1, 1.5, 2, 1.5], "occluded": False,
        "attributes": {"parked": "true"}, "cvat": own,
    }  # fmt: skip
    assert (road["label"], road["mask"]["size"]) == ("road", [4, 8])
    assert found["frame_000010"]["image"] == {"width": 8, "height": 4}
    assert found["frame_000010"]["cvat"] == {"frame": 10, "source": "street.mp4"}
    car, man = found["frame_000012"]["objects"]
    assert (car["occluded"], car["cvat"]["keyframe"]) == (True, 0)
    assert man["keypoints"] == [
        {"x": 5, "y": 1, "v": 1, "name": "head", "cvat": {"keyframe": 1}},
        {"x": 5, "y": 3, "v": 0, "name": "foot", "cvat": {"keyframe": 1}},
    ]
    # What is outside of the frame is no object in it, and is kept beside them.
    last = found["frame_000014"]
    assert last["objects"] == []
    assert [each["label"] for each in last["cvat"]["outside"]] == ["car", "man"]
    assert last["cvat"]["outside"][0]["bbox"] == [2, 1.5, 2, 1.5]


def test_written_as_images_and_read_again(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "video", META + TRACKS + END)
    found, _ = read(cvat.reader({}), root)
    losses = write(cvat.writer({}), tmp_path / "out", found, root)
    assert sorted(each.why for each in losses.found) == [
        "no place for objects[].keypoints[].cvat",
        "shapes of tracks that are outside of the frame (cvat.outside)",
    ]
    again, troubles = of(tmp_path / "out")
    assert troubles == []
    car, road = again["frame_000010"]["objects"]
    assert (car["cvat"], road["cvat"]["track_id"]) == (
        {"track_id": 0, "source": "manual", "group_id": 3, "keyframe": 1, "z_order": 0}, 2
    )  # fmt: skip
    assert again["frame_000010"]["cvat"]["frame"] == 10


@pytest.mark.parametrize("frames", [(), (10,)])
def test_frames_without_an_image_are_told(tmp_path: Path, frames: tuple[int, ...]) -> None:
    root = folder_of(tmp_path, META + TRACKS + END, frames)
    (root / "images/0012.PNG").write_bytes(b"not named as CVAT does")
    found, [trouble] = of(root)
    assert len(found) == len(frames)
    first = 12 if frames else 10
    assert trouble.record == "3 tracks"
    assert trouble.why.startswith(f"no image is called frame_{first:06d}, nor as {2 - len(frames)}")
    assert "or as CVAT for images 1.1, which names images" in trouble.why


def test_several_tasks_in_one_file_are_told(tmp_path: Path) -> None:
    """In a project the frames of the second task go on from those of the first."""
    meta = "<annotations><meta><project><tasks><task/><task/></tasks></project></meta>"
    found, [trouble] = of(folder_of(tmp_path, meta + TRACKS + END))
    assert (found, trouble.record) == ({}, "3 tracks")
    assert "frames of 2 tasks are numbered in one: export each task by itself" in trouble.why


def test_a_task_of_a_project_with_subset(tmp_path: Path) -> None:
    meta = "<annotations><meta><project><tasks><task/></tasks></project></meta>"
    track = '<track id="0" label="a" task_id="7" subset="val"><points frame="5" points="1,2"/>'
    folder_of(tmp_path, meta + track + "</track>" + END, (5,))
    (tmp_path / "images/val").mkdir()
    (tmp_path / "images/val/frame_000005.PNG").write_bytes(b"x")
    found, troubles = read(cvat.reader({}), tmp_path)
    assert (list(found), troubles) == (["images/val/frame_000005.PNG"], [])
    [value] = found.values()
    assert (value["subset"], value["objects"][0]["cvat"]) == ("val", {"track_id": 0, "task_id": 7})


def test_bad_shapes_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = """<track id="4" label="x"><box frame="-1"/><box frame="10" xtl="z"/><what frame="10"/>
      <mask frame="10" rle="1" left="0" top="0" width="9" height="9"/>
      <ellipse frame="10" cx="2" cy="2" rx="1" ry="1"/></track>"""
    found, troubles = of(folder_of(tmp_path, META + bad + END))
    assert [each.record for each in troubles] == [f"track 4, shape {at}" for at in (1, 2, 3, 4)]
    assert [each["bbox"] for each in found["frame_000010"]["objects"]] == [[1, 1, 2, 2]]
