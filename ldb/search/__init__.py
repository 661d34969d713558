"""Nearness by models: encoders make vectors of data objects, and vectors are kept.

    encoder.py       what an encoder is, and which there are
    vectors.py       the files that vectors are kept in
    encoding.py      batches of data through an encoder, one by one where a batch fails
    workers.py       where data lies out, vectors back: what an engine's workers do
    clip.py          CLIP, for images and words (`ldb[clip]`)
    efficientnet.py  EfficientNet-Lite0, for images (`ldb[ml]`)

Reasons: docs/design/021-encoders.md. Format: docs/formats/vectors.md.
"""
