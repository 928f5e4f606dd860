# Install the package and compile what every run needs into the seed that all users may read.
set -eu
python=/opt/exmc-dask/bin/python
$python -m pip install --no-cache-dir --no-deps .
EXMC_CACHE_DIR=/opt/exmc-seed $python -P warm.py
chmod -R a+rX /opt/exmc-seed
$python -m pip uninstall --yes pip
