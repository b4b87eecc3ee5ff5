"""What models learn from. (Imported at once: the functions `digits`, `mnist`, `photos` bear the names of their files.)"""

from genedu.data.audio import Sound, linear_nll, pitch, tones, vowels
from genedu.data.coin_chain import CoinChain, coin_chain
from genedu.data.digits import Digits, digits
from genedu.data.mnist import MNIST, mnist
from genedu.data.photos import Photos, photos
from genedu.data.questions import Questions, questions
from genedu.data.shapes import Shapes, shapes
from genedu.data.stripes import Stripes, stripes
from genedu.data.strokes import Strokes, strokes
from genedu.data.styles import Styles, styles
from genedu.data.text import English, MarkovText, Vocabulary, english, markov_text, ngram_log_prob
from genedu.data.toys import Toy, grid, moons, ring, two_gaussians
from genedu.data.video import Bounce, MovingDigits, bounce, moving_digits

__all__ = [
    "MNIST",
    "Bounce",
    "CoinChain",
    "Digits",
    "English",
    "MarkovText",
    "MovingDigits",
    "Photos",
    "Questions",
    "Shapes",
    "Sound",
    "Stripes",
    "Strokes",
    "Styles",
    "Toy",
    "Vocabulary",
    "bounce",
    "coin_chain",
    "digits",
    "english",
    "grid",
    "linear_nll",
    "markov_text",
    "mnist",
    "moons",
    "moving_digits",
    "ngram_log_prob",
    "photos",
    "pitch",
    "questions",
    "ring",
    "shapes",
    "stripes",
    "strokes",
    "styles",
    "tones",
    "two_gaussians",
    "vowels",
]
