"""Studies: balanced trials, a page that works in a browser, and scores that follow known raters."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from browser import accessibility_findings, open_page

import gandiag
from gandiag.comparison.paired import PAIRED, difference
from gandiag.core.errors import InputError, UsageError
from gandiag.core.result import Result
from gandiag.sources.arrays import tensor_source
from gandiag.study.agreement import Answered, fleiss_kappa, likeness
from gandiag.study.make import make_study
from gandiag.study.questions import CATCH, REAL, Key, choose_trials, read_key, scrambled
from gandiag.study.read import read_study

SOURCE = {"name": "a.pt", "kind": "checkpoint", "path": None, "sha256": "a" * 64, "weights": None}
REFERENCE = {"name": "mnist", "sha256": "b" * 64, "samples": 60}


def key(question="real-or-fake", sources=1, trials=100, catch=10, seed=0):
    described = tuple({**SOURCE, "name": f"{place}.pt"} for place in range(sources))
    chosen = choose_trials(question, sources, trials, catch, seed)
    return Key("0123456789abcdef", question, seed, described, None if question == "a-or-b" else REFERENCE, chosen)


def answer_file(folder, key, rater, answer, milliseconds=900, **changes):
    """A file in which `answer(trial)` gives the answer to each trial."""
    trials = [{"trial": trial.id, "answer": answer(trial), "milliseconds": milliseconds} for trial in key.trials]
    document = {
        "schema": "gandiag.answers/1",
        "study": key.study,
        "rater": rater,
        "trials": trials,
        "key": key.to_dict(),
    }
    path = folder / f"{rater}.json"
    path.write_text(json.dumps(document | changes))
    return path


def judge(rng, real, fake):
    """A rater who takes real images for real with the one chance and fakes with the other, and scrambled ones never."""
    chances = {REAL: real, CATCH: 0.0}
    return lambda trial: "real" if rng.random() < chances.get(trial.shown[0][0], fake) else "fake"


@pytest.mark.parametrize(("sources", "trials"), [(1, 100), (2, 100), (2, 121)])
def test_half_of_the_trials_are_real_and_the_sources_share_the_rest(sources, trials):
    roles = [trial.shown[0][0] for trial in choose_trials("real-or-fake", sources, trials, 7, seed=3)]
    assert roles.count(REAL) == trials // 2
    assert roles.count(CATCH) == 7
    shares = [roles.count(str(place)) for place in range(sources)]
    assert max(shares) - min(shares) <= 1
    assert sum(shares) == trials - trials // 2


def test_pairs_show_the_same_sample_of_both_on_both_sides():
    trials = [trial for trial in choose_trials("a-or-b", 2, 200, 10, seed=1) if not trial.is_catch]
    assert all(
        one[1] == other[1] and {one[0], other[0]} == {"0", "1"} for one, other in (each.shown for each in trials)
    )
    left = sum(trial.shown[0][0] == "0" for trial in trials)
    assert 70 < left < 130  # four deviations of a fair coin


def test_the_seed_decides_the_order():
    assert choose_trials("real-or-fake", 1, 50, 5, 0) == choose_trials("real-or-fake", 1, 50, 5, 0)
    assert choose_trials("real-or-fake", 1, 50, 5, 0) != choose_trials("real-or-fake", 1, 50, 5, 1)


def test_scrambling_keeps_every_pixel_whole():
    image = np.arange(3 * 6 * 5, dtype=np.uint8).reshape(3, 6, 5)
    mixed = scrambled(image, 0, 0)
    assert not np.array_equal(mixed, image)
    assert set(map(tuple, mixed.reshape(3, -1).T)) == set(map(tuple, image.reshape(3, -1).T))


def test_a_key_survives_json():
    asked = key("a-or-b", sources=2)
    assert read_key(json.loads(json.dumps(asked.to_dict()))) == asked


def test_the_fooling_rate_covers_the_truth_as_often_as_it_says(tmp_path):
    """Raters who differ: the spread of their own rates is part of the interval. Two hundred studies of eight raters."""
    asked, rng = key(trials=60, catch=4), np.random.default_rng(5)
    inside = 0
    for _ in range(200):
        own = np.clip(0.3 + 0.1 * rng.standard_normal(8), 0.02, 0.98)
        files = [answer_file(tmp_path, asked, f"r{i}", judge(rng, 0.8, rate)) for i, rate in enumerate(own)]
        low, high = read_study(files).results[0]["fooling_rate"].ci95
        inside += low <= 0.3 <= high
    assert inside >= 176  # 88%: eight raters are few, and their spread is estimated


def often_enough(inside):
    """Whether 95% intervals hold the truth as often, but for three standard errors of so few studies."""
    return np.mean(inside) >= 0.95 - 3 * (0.95 * 0.05 / len(inside)) ** 0.5


def holds(interval, truth):
    return interval[0] <= truth <= interval[1]


def test_images_that_all_raters_judge_are_as_few_as_they_are(tmp_path):
    """Each image fools one rater in ten, or nine: a hundred studies of equal models by twenty raters, 0.5 fooled."""
    asked, rng = key(trials=40, catch=0), np.random.default_rng(0)
    scores = []
    for _ in range(100):
        fools = {trial.id: rng.choice([0.1, 0.9]) for trial in asked.trials}
        answer = lambda trial, fools=fools: "real" if rng.random() < fools[trial.id] else "fake"  # noqa: E731
        files = [answer_file(tmp_path, asked, f"r{i}", answer) for i in range(20)]
        scores.append(read_study(files).results[0])
    assert often_enough([holds(each["fooling_rate"].ci95, 0.5) for each in scores])
    assert often_enough([holds(each["human_accuracy"].ci95, 0.5) for each in scores])
    assert often_enough([each["fooling_rate"].details["test"]["p_value"] > 0.05 for each in scores])
    rates = [each["fooling_rate"] for each in scores]
    assert often_enough([difference(*pair).p_value > 0.05 for pair in zip(rates[::2], rates[1::2], strict=True)])


def test_the_accuracy_of_raters_who_differ_in_skill_covers_the_truth(tmp_path):
    """Who knows real images knows fakes: the two shares of a rater err together. Half the people are right 95 times in
    100, half of them 55."""
    asked, rng = key(trials=24, catch=0), np.random.default_rng(1)
    inside = []
    for _ in range(150):
        files = [
            answer_file(tmp_path, asked, f"r{i}", judge(rng, skill, 1 - skill))
            for i, skill in enumerate(rng.choice([0.55, 0.95], size=20))
        ]
        inside.append(holds(read_study(files).results[0]["human_accuracy"].ci95, 0.75))
    assert often_enough(inside)


def prefer(rng, taste, beauty):
    """A rater who prefers the first source by his taste and by the pair."""

    def answer(trial):
        first = rng.random() < 1 / (1 + np.exp(-taste - beauty[trial.id]))
        return "left" if first == (trial.shown[0][0] == "0") else "right"

    return answer


def test_the_two_preferences_of_a_study_are_opposite(tmp_path):
    """What the one wins the other loses, so that their difference errs twice as far: 100 studies of equal sources."""
    asked, rng = key("a-or-b", sources=2, trials=30, catch=0), np.random.default_rng(2)
    inside = []
    for _ in range(100):
        beauty = {trial.id: rng.standard_normal() for trial in asked.trials}
        tastes = 0.5 * rng.standard_normal(20)
        files = [answer_file(tmp_path, asked, f"r{i}", prefer(rng, taste, beauty)) for i, taste in enumerate(tastes)]
        results = read_study(files).results
        one, other = (result["preference"] for result in results)
        found = difference(one, other)
        assert found.stderr == pytest.approx(2 * one.stderr, rel=0.01)
        inside.append(holds(found.ci, 0))
    assert often_enough(inside)
    assert found.method == PAIRED
    policy = gandiag.Policy.from_toml('[[gate]]\nmetric = "preference"\nmax_regression = 0.1', ["preference"])
    low, high = gandiag.gate(results[0], policy, results[1]).outcomes[0].interval
    assert high - low == pytest.approx(2 * 1.96 * 2 * one.stderr, rel=0.02)


def test_preferences_by_other_raters_err_independently(tmp_path):
    asked, rng = key("a-or-b", sources=2, trials=40, catch=0), np.random.default_rng(3)
    even = dict.fromkeys((trial.id for trial in asked.trials), 0.0)
    files = [answer_file(tmp_path, asked, f"r{i}", prefer(rng, 0.0, even)) for i in range(8)]
    one, other = (read_study(each).results[0]["preference"] for each in (files[:4], files[4:]))
    assert difference(one, other).stderr == pytest.approx(np.hypot(one.stderr, other.stderr), rel=0.15)
    assert difference(one, one).stderr == 0


def test_accuracy_and_test_of_raters_who_see_and_of_raters_who_guess(tmp_path):
    asked, rng = key(trials=200, catch=4), np.random.default_rng(0)
    seeing = [answer_file(tmp_path, asked, f"s{i}", judge(rng, 0.9, 0.1)) for i in range(5)]
    guessing = [answer_file(tmp_path, asked, f"g{i}", judge(rng, 0.5, 0.5)) for i in range(5)]
    sharp, blind = (read_study(files).results[0] for files in (seeing, guessing))
    assert sharp["human_accuracy"].value == pytest.approx(0.9, abs=0.04)
    assert sharp["fooling_rate"].details["test"]["p_value"] < 1e-6
    assert blind["human_accuracy"].value == pytest.approx(0.5, abs=0.05)
    assert blind["fooling_rate"].details["test"]["p_value"] > 0.001
    assert sharp["fooling_rate"].fingerprint == blind["fooling_rate"].fingerprint


def test_a_preference_adds_up_to_one_over_the_pair(tmp_path):
    asked, rng = key("a-or-b", sources=2, trials=100), np.random.default_rng(0)

    def prefer_first(trial):
        wanted = "0" if trial.is_catch or rng.random() < 0.7 else "1"
        roles = [role for role, _ in trial.shown]
        place = roles.index(wanted) if wanted in roles else 1 - roles.index(CATCH)
        return ("left", "right")[place]

    files = [answer_file(tmp_path, asked, f"r{i}", prefer_first) for i in range(6)]
    reading = read_study(files)
    one, other = (result["preference"] for result in reading.results)
    assert one.value + other.value == pytest.approx(1)
    assert one.value == pytest.approx(0.7, abs=0.06)
    assert one.details["test"]["p_value"] < 1e-6
    assert all(rater.catch == 1 for rater in reading.raters)


def test_a_rater_who_does_not_look_is_left_out_and_named(tmp_path):
    asked, rng = key(), np.random.default_rng(1)
    files = [answer_file(tmp_path, asked, f"r{i}", judge(rng, 0.9, 0.2)) for i in range(5)]
    files.append(answer_file(tmp_path, asked, "asleep", lambda trial: "real", milliseconds=50))
    reading = read_study(files)
    asleep = next(rater for rater in reading.raters if rater.name == "asleep")
    assert not asleep.counted
    assert len(asleep.doubts) == 3
    assert any("asleep" in warning for warning in reading.results[0].warnings)
    assert reading.results[0]["fooling_rate"].value < 0.35
    assert read_study(files, keep_inattentive=True).results[0]["fooling_rate"].value > 0.3


def test_the_result_can_be_saved_and_read(tmp_path):
    files = [answer_file(tmp_path, key(), "r", judge(np.random.default_rng(0), 0.9, 0.4))]
    result = read_study(files).results[0]
    assert Result.from_json(result.to_json())["fooling_rate"].value == result["fooling_rate"].value


def test_kappa_by_hand():
    assert fleiss_kappa([(3, 0), (0, 3)]) == 1
    # Two items, three raters: observed (1 + 1/3) / 2, chance (5/6)^2 + (1/6)^2.
    assert fleiss_kappa([(3, 0), (2, 1)]) == pytest.approx((2 / 3 - 26 / 36) / (1 - 26 / 36))
    assert fleiss_kappa([(1, 0)]) is None


def effect(*said):
    """The design effect of raters who judge the same images, each with a text of 1 and 0."""
    hits = np.array([float(each) for answers in said for each in answers])
    raters = [str(rater) for rater, answers in enumerate(said) for _ in answers]
    images = [str(image) for answers in said for image in range(len(answers))]
    return likeness([(1.0, Answered(hits, raters, images))]).effect


def test_design_effect_by_hand():
    # Raters who agree on nothing, and as often say yes: no more alike than chance has it.
    assert effect("1111100000", "0000011111") == 1
    # Two raters who each always say one thing: their answers are worth two, so 20 answers have an effect of 20.
    assert effect("1111111111", "0000000000") == pytest.approx(2 * (5**2 + 5**2) / 400 / (0.25 / 20))
    # Two raters of one mind: their answers are worth the ten images.
    assert effect("1111100000", "1111100000") == pytest.approx(10 / 9 * 10 * 1**2 / 400 / (0.25 / 20))
    # Both: the sum, less what is in both. Hits 2, 1, 1, 0 of the images, 4 and 0 of the raters.
    assert effect("1100", "1010", "0000") == pytest.approx(
        (3 / 2 * 2 * (2 / 3) ** 2 + 3 / 2 * (4 / 3) ** 2 + 4 / 3 * 2 * 1**2 - 12 * (1 / 3) * (2 / 3)) / 12 / (2 / 9)
    )
    # Where all agree, the images alone count.
    assert effect("0000", "0000", "0000") == 3
    assert effect("1") == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "{",
        lambda text: "[]",
        lambda text: text.replace("gandiag.answers/1", "gandiag.answers/9"),
        lambda text: text.replace('"answer": "fake"', '"answer": "=1+1"', 1),
        lambda text: text.replace('"rater": "r"', '"rater": ""'),
        lambda text: text.replace('"rater": "r"', '"rater": 7'),
        lambda text: json.dumps(json.loads(text) | {"trials": []}),
        lambda text: json.dumps(json.loads(text) | {"trials": [1]}),
        lambda text: json.dumps(json.loads(text) | {"key": None}),
        lambda text: json.dumps(json.loads(text) | {"study": "other"}),
        lambda text: json.dumps(json.loads(text) | {"trials": json.loads(text)["trials"] * 2}),
        lambda text: text.replace('"milliseconds": 900', '"milliseconds": -1', 1),
        lambda text: "[" * 100_000,
        lambda text: "\udcff".encode("utf-8", "surrogateescape").decode("latin1"),
    ],
)
def test_damaged_answers_are_refused_by_name(tmp_path, damage):
    path = answer_file(tmp_path, key(), "r", lambda trial: "fake")
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=r"r\.json"):
        read_study([path])


def test_answers_to_two_studies_are_not_mixed(tmp_path):
    one = answer_file(tmp_path, key(seed=0), "a", lambda trial: "fake")
    other = answer_file(tmp_path, replace(key(seed=1), study="f" * 16), "b", lambda trial: "fake")
    with pytest.raises(InputError, match="another study"):
        read_study([one, other])


def test_two_people_of_one_name_are_refused(tmp_path):
    asked = key()
    (tmp_path / "other").mkdir()
    ann = answer_file(tmp_path, asked, "ann", lambda trial: "real")
    other = answer_file(tmp_path / "other", asked, "ann", lambda trial: "fake")
    for paths in ([ann, other], [other, ann]):
        with pytest.raises(InputError, match=r"two answers of 'ann' .* another name"):
            read_study(paths)


def test_of_two_files_that_a_rater_saved_the_later_one_counts(tmp_path):
    asked = key()
    (tmp_path / "early").mkdir()
    late = answer_file(tmp_path, asked, "ann", lambda trial: "fake")
    trials = json.loads(late.read_text())["trials"][:30]
    early = answer_file(tmp_path / "early", asked, "ann", lambda trial: "fake", trials=trials)
    for paths in ([early, late], [late, early]):
        assert [rater.answers for rater in read_study(paths).raters] == [100]


def images(seed, count=80, side=8):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


def test_wrong_studies_are_refused(tmp_path):
    out = tmp_path / "study.html"
    with pytest.raises(UsageError, match="real images"):
        make_study([images(0)], out)
    with pytest.raises(UsageError, match="two sources"):
        make_study([images(0)], out, question="a-or-b")
    with pytest.raises(InputError, match="80 images"):
        make_study([images(0)], out, against=images(1), trials=1000)
    with pytest.raises(InputError, match="shape"):
        make_study([images(0)], out, against=images(1, side=9))
    with pytest.raises(InputError, match="points"):
        make_study([torch.randn(99, 2)], out, against=torch.randn(99, 2))
    assert not out.exists()


def test_the_page_asks_saves_and_goes_on_in_a_browser(tmp_path):
    hostile = "</script><script>alert(1)</script>"
    page_file = tmp_path / "study.html"
    source = tensor_source(images(0), hostile)
    made = make_study([source], page_file, against=images(1), trials=10, catch=2)
    for width, dark in ((400, False), (1280, True)):
        with open_page(page_file, width=width, dark=dark) as page:
            assert accessibility_findings(page) == []
            page.fill("#rater", "ann <b>")
            page.click("#begin")
            assert accessibility_findings(page) == []
            for _ in range(5):
                page.keyboard.press("ArrowLeft")
            page.reload()
            assert page.inner_text("#begin") == "Go on"
            page.click("#begin")
            assert "Image 6 of 12" in page.inner_text("#count")
            for _ in range(7):
                page.click("#answers button:nth-child(2)")
            with page.expect_download() as download:
                page.click("#save")
            saved = tmp_path / "answers.json"
            download.value.save_as(saved)
        reading = gandiag.read_study([saved])
        assert reading.key == made
        assert reading.raters[0].name == "ann <b>"
        assert reading.raters[0].answers == 10


def test_the_page_says_what_it_needs_without_scripts(tmp_path):
    page_file = tmp_path / "study.html"
    make_study([images(0)], page_file, against=images(1), trials=4, catch=0)
    with open_page(page_file, scripts=False) as page:
        assert "needs JavaScript" in page.inner_text("main")
