"""Takes the answer from the library: by import, by importlib, by runpy, from compiled files."""

from tests.grading.attacks import REFUSED

CODE = (
    REFUSED
    + """
import glob, importlib.util, marshal, os, runpy, genedu

def by_path():
    spec = importlib.util.spec_from_file_location("em", os.path.join(os.path.dirname(genedu.__file__), "density/em.py"))
    spec.loader.exec_module(importlib.util.module_from_spec(spec))

def by_import():
    from genedu.density import GaussianMixture
    return GaussianMixture

def compiled():
    (file,) = glob.glob(os.path.dirname(genedu.__file__) + "/density/__pycache__/em.*.pyc")
    exec(marshal.loads(open(file, "rb").read()[16:]), {})

def responsibilities(log_joint):
    refused(
        by_import,
        by_path,
        compiled,
        lambda: importlib.import_module("genedu.density.em"),
        lambda: runpy.run_module("genedu.density.gaussian_mixture"),
    )
"""
)
SEEN = r"refused 5 of 5 \[\]"
