"""What models learn from. (Imported at once: the functions `digits`, `mnist`, `photos` bear the names of their files.)"""

from genedu.data.digits import Digits, digits
from genedu.data.mnist import MNIST, mnist
from genedu.data.photos import Photos, photos
from genedu.data.toys import Toy, grid, moons, ring, two_gaussians

__all__ = ["MNIST", "Digits", "Photos", "Toy", "digits", "grid", "mnist", "moons", "photos", "ring", "two_gaussians"]
