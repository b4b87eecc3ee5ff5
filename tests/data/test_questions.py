"""The grammar against enumeration of a small one, against its own samples, and as unambiguous."""

import math
from itertools import product

import pytest
import torch

from genedu.core import seeded
from genedu.data import questions
from genedu.data.questions import GRAMMAR, derive

SMALL = {"S": [(0.25, "a ?"), (0.75, "A b ?")], "A": [(0.5, "a a"), (0.3, "a"), (0.2, "b A")]}
WORDS, CHARACTERS = questions(sizes=(500, 20, 400)), questions("character", sizes=(500, 20, 400))


def small(**options):
    return questions(grammar=SMALL, start="S", sizes=(2000, 5, 5), **options)


def test_a_small_grammar_by_hand():
    """S -> A b ?, A -> b A with probability 1/5, so that A is b^k a or b^k a a."""
    d = small()
    table = {
        "a ?": 0.25,
        "a b ?": 0.75 * 0.3,
        "a a b ?": 0.75 * 0.5,
        "b a b ?": 0.75 * 0.2 * 0.3,
        "b b a a b ?": 0.75 * 0.04 * 0.5,
    }
    for text, p in table.items():
        assert d.log_prob_text(text) == pytest.approx(math.log(p))
    for text in ("", "a", "?", "a b", "b ?", "a ? ?", "a  b ?", "a b ? a", " a ?"):
        assert d.log_prob_text(text) == -math.inf
    h_a = (-(0.5 * math.log(0.5) + 0.3 * math.log(0.3) + 0.2 * math.log(0.2))) / 0.8  # H = own + H / 5
    assert d.entropy == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) + 0.75 * h_a)
    assert d.mean_length == pytest.approx(0.25 * 2 + 0.75 * (2 + (0.5 * 2 + 0.3 + 0.2) / 0.8))


def test_mass_one_over_all_texts_of_a_small_grammar():
    d = small()
    p = [math.exp(d.log_prob_text(" ".join((*w, "?")))) for n in range(1, 11) for w in product("ab", repeat=n)]
    assert sum(p) == pytest.approx(1, abs=1e-5)
    assert -sum(q * math.log(q) for q in p if q) == pytest.approx(d.entropy, abs=1e-4)


def test_two_derivations_add_up():
    """An ambiguous grammar: "a a" comes from B B and from "a a"."""
    d = questions(grammar={"S": [(0.5, "B B"), (0.5, "a a")], "B": [(1.0, "a")]}, start="S", sizes=(1, 1, 1))
    assert d.log_prob_text("a a") == pytest.approx(0.0) and d.entropy == pytest.approx(math.log(2))


def test_the_rules_are_distributions_and_each_can_be_reached():
    reached, todo = set(), ["Question"]
    while todo:
        a = todo.pop()
        reached.add(a)
        assert sum(p for p, _ in GRAMMAR[a]) == pytest.approx(1)
        todo += [w for _, r in GRAMMAR[a] for w in r.split() if w in GRAMMAR and w not in reached]
    assert reached == set(GRAMMAR)


def derivations(symbol, parts):
    """How many derivations the words `parts` have from `symbol`, by trying every rule and every cut."""
    if symbol not in GRAMMAR:
        return int(parts == (symbol,))
    return sum(sequences(tuple(rule.split()), parts) for _, rule in GRAMMAR[symbol])


def sequences(rule, parts):
    if len(rule) == 1:
        return derivations(rule[0], parts)
    cuts = [1] if rule[0] not in GRAMMAR else range(1, len(parts) - len(rule) + 2)
    return sum(n * sequences(rule[1:], parts[i:]) for i in cuts if (n := derivations(rule[0], parts[:i])))


def test_each_question_has_one_derivation():
    with seeded(3):
        drawn = {tuple(derive(GRAMMAR, "Question")) for _ in range(400)}
    drawn = [parts for parts in drawn if len(parts) <= 14]
    assert len(drawn) > 100 and all(derivations("Question", parts) == 1 for parts in drawn)


@pytest.mark.parametrize("d", [WORDS, CHARACTERS], ids=["words", "characters"])
def test_the_mean_of_log_prob_is_the_entropy(d):
    nll = -torch.cat([d.log_prob(d.train, d.train_lengths), d.log_prob(d.test, d.test_lengths)])
    assert torch.isfinite(nll).all()
    assert abs(nll.mean().item() - d.entropy) < 5 * nll.std().item() / len(nll) ** 0.5


def test_the_mean_length():
    n = WORDS.train_lengths.double()
    assert abs(n.mean().item() - WORDS.mean_length) < 5 * n.std().item() / len(n) ** 0.5


def test_words_and_characters_are_the_same_questions():
    assert WORDS.entropy == CHARACTERS.entropy
    for i in range(20):
        texts = [d.vocabulary.decode(d.validation[i, : d.validation_lengths[i]]) for d in (WORDS, CHARACTERS)]
        assert texts[0] == texts[1] and texts[0].endswith(" ?")
    torch.testing.assert_close(WORDS.log_prob(WORDS.test), CHARACTERS.log_prob(CHARACTERS.test))


def test_rows_are_padded_and_end_with_their_first_question_mark():
    for d in (WORDS, CHARACTERS):
        assert d.train.dtype == torch.long and d.train.shape[0] == 500 and d.train.shape[1] == d.test.shape[1]
        assert torch.equal(d.ends(d.test), d.test_lengths)
        beyond = torch.arange(d.test.shape[1]) >= d.test_lengths[:, None]
        assert beyond.any() and (d.test[beyond] == 0).all()
    mark = WORDS.vocabulary.symbols.index("?")
    assert WORDS.ends(torch.tensor([[1, 1, 1], [mark, 1, mark]])).tolist() == [3, 1]
    assert WORDS.log_prob(torch.tensor([[1, 1, 1]])).item() == -math.inf


def test_a_noun_decides_a_word_far_behind_it():
    far = "is the cat behind the train in the station asleep ?"
    assert math.isfinite(WORDS.log_prob_text(far))
    assert WORDS.log_prob_text(far.replace("asleep", "electric")) == -math.inf
    assert WORDS.log_prob_text(far.replace("cat", "boat")) == -math.inf


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unit": "letter"}, "'word' or 'character', got 'letter'"),
        ({"sizes": (1, 2)}, "three numbers"),
        ({"sizes": (1, 0, 1)}, "1"),
    ],
)
def test_what_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        questions(**options)


def test_bad_rows():
    with pytest.raises(ValueError, match="levels 0 to"):
        WORDS.log_prob(torch.tensor([[99]]))
