"""Boxes, masks, keypoints, captions and classes of images, in the formats that tools exchange.

One neutral shape of annotation (docs/formats/boxes.md); each format is read into it and written
from it, so that what was read in one can be written in another.
"""
