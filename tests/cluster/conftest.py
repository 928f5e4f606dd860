"""The toy engine is imported by name in threads, child processes and Dask workers alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
