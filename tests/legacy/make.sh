#!/bin/sh
# How tests/legacy/instance.tar.gz was made, by LDB 0.7.0 as it is on PyPI (package ldb-alpha):
#
#     python -m venv alpha && alpha/bin/pip install ldb-alpha==0.7.0
#     PATH=$PWD/alpha/bin:$PATH sh tests/legacy/make.sh instance.tar.gz
#
# The instance and its data lie in /srv/pets while it is made; data files are no part of it.
set -eu
out=$(realpath "$1")
rm -rf /srv/pets && mkdir -p /srv/pets/data/cats /srv/pets/data/dogs && cd /srv/pets
export LDB_DIR=/srv/pets/instance HOME=/srv/pets
for i in 1 2 3; do
    printf 'cat %s' $i > data/cats/c$i.jpg
    printf '{"class": "cat", "n": %s}' $i > data/cats/c$i.json
    printf 'dog %s' $i > data/dogs/d$i.png
    printf '{"class": "dog", "n": %s, "score": 0.%s}' $i $i > data/dogs/d$i.json
done
printf 'lonely' > data/dogs/lone.png
cp data/cats/c1.jpg data/cats/again.jpg
ldb init instance
printf '\n[transform.grey]\nrun = ["python", "grey.py"]\n' >> instance/config
ldb add-storage -a true data
ldb index -m bare data
ldb stage -t cats ds:cats
(cd cats && ldb add ds:root --query "class == 'cat'" && ldb commit -m "the cats")
printf '{"class": "cat", "n": 1, "fat": true}' > data/cats/c1.json
ldb index -m bare data
(
    cd cats
    ldb pull
    ldb tag -a nice,old --query 'n == `1`'
    ldb commit -m "a fat cat"
    ldb add ds:root --path d2
    ldb del --query 'n == `3`'
    ldb transform -a grey --query 'n == `2`'
    ldb commit
)
ldb stage -t dogs ds:dogs
(cd dogs && ldb add ds:root --query "class == 'dog'" && ldb commit -m "dogs")
tar --sort=name --owner=0 --group=0 --numeric-owner -C instance -cf - . | gzip -9n > "$out"
