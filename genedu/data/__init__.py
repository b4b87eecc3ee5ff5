"""What models learn from. (Imported at once: the function `digits` bears the name of its file.)"""

from genedu.data.digits import Digits, digits
from genedu.data.toys import Toy, grid, moons, ring, two_gaussians

__all__ = ["Digits", "Toy", "digits", "grid", "moons", "ring", "two_gaussians"]
