"""The synthetic corpus: its grammar, its alignments, its splits, its files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fairseq_amber.cli import main
from fairseq_amber.demo_corpus import corpus as corpus_module
from fairseq_amber.demo_corpus import writer
from fairseq_amber.demo_corpus.concepts import HELD_OUT
from fairseq_amber.demo_corpus.corpus import Settings
from fairseq_amber.demo_corpus.languages import LANGUAGES, realisers
from fairseq_amber.demo_corpus.meaning import (
    Clause,
    NounPhrase,
    Sentence,
    combinations,
)
from fairseq_amber.demo_corpus.sampler import Sampler
from fairseq_amber.demo_corpus.tokens import pharaoh, text
from fairseq_amber.errors import UserError

PAIRS = ("de-en", "ru-en", "tr-en", "de-ru")
SMALL = Settings(
    pairs=PAIRS, train_sentences=600, valid_sentences=20, test_sentences=30, mono_sentences=40
)


def the(noun, adjective="", **features):
    return NounPhrase(noun, "definite", adjective=adjective, **features)


def a(noun, adjective=""):
    return NounPhrase(noun, "indefinite", adjective=adjective)


def some(noun, adjective="", plural=True):
    return NounPhrase(noun, "", plural, adjective)


def det(determiner, noun, adjective="", plural=False):
    return NounPhrase(noun, determiner, plural, adjective)


def pronoun(noun, feminine=False):
    return NounPhrase(noun, "", feminine=feminine)


def name(noun):
    return NounPhrase(noun, "")


def do(verb, subject, thing=None, **features):
    return Clause("action", verb, subject, object=thing, **features)


def is_(adjective, subject, **features):
    return Clause("quality", adjective, subject, **features)


PAST, FUTURE = {"tense": "past"}, {"tense": "future"}

# meaning -> English, German, Russian, Turkish
SENTENCES = {
    "present, definite object": (
        Sentence(do("read", the("boy"), the("book"))),
        "The boy is reading the book .",
        "Der Junge liest das Buch .",
        "Мальчик читает книгу .",
        "Oğlan kitabı okuyor .",
    ),
    "an before a vowel; mixed declension; place": (
        Sentence(do("buy", a("woman"), a("apple", "red"), place=the("market"), **PAST)),
        "A woman bought a red apple at the market .",
        "Eine Frau hat auf dem Markt einen roten Apfel gekauft .",
        "Женщина купила красное яблоко на рынке .",
        "Bir kadın pazarda kırmızı bir elma satın aldı .",
    ),
    "an before the noun; time; question": (
        Sentence(do("eat", pronoun("you"), a("apple"), time="yesterday", **PAST), question=True),
        "Did you eat an apple yesterday ?",
        "Hast du gestern einen Apfel gegessen ?",
        "Ты вчера съел яблоко ?",
        "Dün bir elma yedin mi ?",
    ),
    "person on the particle": (
        Sentence(do("work", pronoun("you"), time="now"), question=True),
        "Are you working now ?",
        "Arbeitest du jetzt ?",
        "Ты сейчас работаешь ?",
        "Şimdi çalışıyor musun ?",
    ),
    "habit: simple present, imperfective; verb of motion": (
        Sentence(do("go", the("child"), time="every_day", place=the("school"), direction="to")),
        "The child goes to the school every day .",
        "Das Kind geht jeden Tag in die Schule .",
        "Ребёнок каждый день ходит в школу .",
        "Çocuk her gün okula gidiyor .",
    ),
    "verb second after a fronted time; sein perfect; zum": (
        Sentence(
            do(
                "go",
                name("Anna"),
                time="monday",
                fronted=True,
                place=the("station"),
                direction="to",
                **PAST,
            )
        ),
        "On Monday Anna went to the station .",
        "Am Montag ist Anna zum Bahnhof gegangen .",
        "В понедельник Анна пошла на вокзал .",
        "Pazartesi günü Anna istasyona gitti .",
    ),
    "separable prefix; negation; aus, из, ablative": (
        Sentence(
            do("return", pronoun("I", True), place=the("forest"), direction="from", negated=True)
        ),
        "I am not returning from the forest .",
        "Ich kehre nicht aus dem Wald zurück .",
        "Я не возвращаюсь из леса .",
        "Ormandan dönmüyorum .",
    ),
    "double object; dative; indefinite next to the Turkish verb": (
        Sentence(do("give", the("man"), a("flower"), recipient=the("girl"), **PAST)),
        "The man gave the girl a flower .",
        "Der Mann hat dem Mädchen eine Blume gegeben .",
        "Мужчина дал девочке цветок .",
        "Adam kıza bir çiçek verdi .",
    ),
    "definite before the recipient": (
        Sentence(do("show", the("sister"), the("picture"), recipient=name("Maria"), **FUTURE)),
        "The sister will show the picture to Maria .",
        "Die Schwester wird Maria das Bild zeigen .",
        "Сестра покажет картину Марии .",
        "Kız kardeş resmi Maria'ya gösterecek .",
    ),
    "kein; mass noun; imperfective under negation": (
        Sentence(do("drink", pronoun("she"), some("milk", plural=False), negated=True, **PAST)),
        "She did not drink milk .",
        "Sie hat keine Milch getrunken .",
        "Она не пила молоко .",
        "Süt içmedi .",
    ),
    "animate accusative plural after a numeral; habitual past": (
        Sentence(
            do("see", the("doctor"), NounPhrase("boy", "two", True, "clever"), time="often", **PAST)
        ),
        "The doctor often saw two clever boys .",
        "Der Arzt hat oft zwei kluge Jungen gesehen .",
        "Врач часто видел двух умных мальчиков .",
        "Doktor sık sık iki akıllı oğlan gördü .",
    ),
    "numerals with genitives; plural subject": (
        Sentence(
            do("find", NounPhrase("cat", "two", True), NounPhrase("key", "five", True), **PAST)
        ),
        "Two cats found five keys .",
        "Zwei Katzen haben fünf Schlüssel gefunden .",
        "Две кошки нашли пять ключей .",
        "İki kedi beş anahtar buldu .",
    ),
    "n-declension; animate accusative; accusative of names": (
        Sentence(
            do("love", the("student"), the("neighbour")),
            join="but",
            second=do("know", name("Elena"), name("Viktor"), negated=True),
        ),
        "The student loves the neighbour , but Elena does not know Viktor .",
        "Der Student liebt den Nachbarn , aber Elena kennt Viktor nicht .",
        "Студент любит соседа , но Елена не знает Виктора .",
        "Öğrenci komşuyu seviyor , ama Elena Viktor'u tanımıyor .",
    ),
    "dative verbs; one's own": (
        Sentence(do("help", pronoun("we"), det("our", "grandmother"))),
        "We are helping our grandmother .",
        "Wir helfen unserer Großmutter .",
        "Мы помогаем своей бабушке .",
        "Büyükannemize yardım ediyoruz .",
    ),
    "companion: с, -le": (
        Sentence(do("play", the("girl"), companion=det("this", "student"), **PAST)),
        "The girl played with this student .",
        "Das Mädchen hat mit diesem Studenten gespielt .",
        "Девочка играла с этим студентом .",
        "Kız bu öğrenciyle oynadı .",
    ),
    "companion: со before two consonants": (
        Sentence(do("sing", the("singer"), companion=the("student"), **FUTURE)),
        "The singer will sing with the student .",
        "Die Sängerin wird mit dem Studenten singen .",
        "Певица будет петь со студентом .",
        "Şarkıcı öğrenciyle şarkı söyleyecek .",
    ),
    "possessor: 's, genitive, double marking": (
        Sentence(
            do(
                "open",
                the("guest"),
                NounPhrase("window", "of", possessor="teacher", adjective="new"),
                manner="carefully",
                **PAST,
            )
        ),
        "The guest opened the teacher 's new window carefully .",
        "Der Gast hat das neue Fenster des Lehrers vorsichtig geöffnet .",
        "Гость осторожно открыл новое окно учителя .",
        "Misafir öğretmenin yeni penceresini dikkatlice açtı .",
    ),
    "subordinate that: verb last; nominalised": (
        Sentence(
            do("know_that", the("mother")),
            join="that",
            second=do("call", the("brother"), det("my", "friend"), time="tomorrow", **FUTURE),
        ),
        "The mother knows that the brother will call my friend tomorrow .",
        "Die Mutter weiß , dass der Bruder morgen meinen Freund anrufen wird .",
        "Мать знает , что брат завтра позвонит моему другу .",
        "Anne erkek kardeşin yarın arkadaşıma telefon edeceğini biliyor .",
    ),
    "that: separable verb joined; third person genitive": (
        Sentence(
            do("say", pronoun("he"), **PAST),
            join="that",
            second=do("close", the("cook"), the("door"), negated=True, **PAST),
        ),
        "He said that the cook did not close the door .",
        "Er hat gesagt , dass der Koch die Tür nicht zugemacht hat .",
        "Он сказал , что повар не закрыл дверь .",
        "Aşçının kapıyı kapatmadığını söyledi .",
    ),
    "preterites; imperfect": (
        Sentence(
            do("think", pronoun("they"), **PAST),
            join="that",
            second=is_("old", the("house"), **PAST),
        ),
        "They thought that the house was old .",
        "Sie dachten , dass das Haus alt war .",
        "Они думали , что дом был старым .",
        "Evin eski olduğunu düşünüyorlardı .",
    ),
    "because: short adjectives; subject dropped": (
        Sentence(
            do("sleep", the("woman"), **PAST),
            join="because",
            second=is_("ill", pronoun("she"), **PAST),
        ),
        "The woman slept because she was ill .",
        "Die Frau hat geschlafen , weil sie krank war .",
        "Женщина спала , потому что она была больна .",
        "Kadın uyudu , çünkü hastaydı .",
    ),
    "because: plural dropped; negated": (
        Sentence(
            do("cry", det("this", "guest", plural=True)),
            join="because",
            second=is_("happy", pronoun("they"), negated=True),
        ),
        "These guests are crying because they are not happy .",
        "Diese Gäste weinen , weil sie nicht glücklich sind .",
        "Эти гости плачут , потому что они не счастливы .",
        "Bu misafirler ağlıyor , çünkü mutlu değiller .",
    ),
    "quality in the present; weak declension": (
        Sentence(is_("cheap", the("bicycle", "blue"))),
        "The blue bicycle is cheap .",
        "Das blaue Fahrrad ist billig .",
        "Синий велосипед дешёвый .",
        "Mavi bisiklet ucuz .",
    ),
    "quality in the past: instrumental; fronted vowels against the last": (
        Sentence(is_("busy", det("your", "father"), **PAST)),
        "Your father was busy .",
        "Dein Vater war beschäftigt .",
        "Твой отец был занят .",
        "Senin baban meşguldü .",
    ),
    "future of be; plural in the instrumental": (
        Sentence(is_("expensive", the("orange", plural=True), **FUTURE)),
        "The oranges will be expensive .",
        "Die Orangen werden teuer sein .",
        "Апельсины будут дорогими .",
        "Portakallar pahalı olacak .",
    ),
    "comparison": (
        Sentence(
            Clause("comparison", "big", det("this", "city"), object=NounPhrase("village", "our"))
        ),
        "This city is bigger than our village .",
        "Diese Stadt ist größer als unser Dorf .",
        "Этот город больше , чем наша деревня .",
        "Bu şehir köyümüzden daha büyük .",
    ),
    "comparison with more; old of the living": (
        Sentence(
            Clause("comparison", "old", the("grandfather"), object=the("horse"), **PAST),
            question=True,
        ),
        "Was the grandfather older than the horse ?",
        "War der Großvater älter als das Pferd ?",
        "Дедушка был старше , чем лошадь ?",
        "Büyükbaba attan daha yaşlı mıydı ?",
    ),
    "position: dative, instrumental, possessed postposition": (
        Sentence(Clause("position", "under", the("dog"), object=the("table", "big"))),
        "The dog is under the big table .",
        "Der Hund ist unter dem großen Tisch .",
        "Собака под большим столом .",
        "Köpek büyük masanın altında .",
    ),
    "position in the past; im; шкафу": (
        Sentence(Clause("position", "in", det("my", "coat"), object=the("cupboard"), **PAST)),
        "My coat was in the cupboard .",
        "Mein Mantel war im Schrank .",
        "Моё пальто было в шкафу .",
        "Paltom dolabın içindeydi .",
    ),
    "being at a place; negated; genitive plural": (
        Sentence(Clause("position", "at", pronoun("we"), place=the("garden"), negated=True)),
        "We are not in the garden .",
        "Wir sind nicht im Garten .",
        "Мы не в саду .",
        "Bahçede değiliz .",
    ),
    "want: infinitive last; perfective": (
        Sentence(do("repair", the("driver"), a("car", "old"), modal="want", time="today")),
        "The driver wants to repair an old car today .",
        "Der Fahrer will heute ein altes Auto reparieren .",
        "Водитель сегодня хочет починить старую машину .",
        "Şoför bugün eski bir araba tamir etmek istiyor .",
    ),
    "must: gender, person": (
        Sentence(do("wash", pronoun("I", True), some("shirt", "white"), modal="must")),
        "I must wash white shirts .",
        "Ich muss weiße Hemden waschen .",
        "Я должна помыть белые рубашки .",
        "Beyaz gömlekler yıkamak zorundayım .",
    ),
    "pronoun objects; and": (
        Sentence(
            do("visit", pronoun("I"), pronoun("they"), time="last_week", **PAST),
            join="and",
            second=do("wait_for", the("farmer"), pronoun("you")),
        ),
        "I visited them last week and the farmer is waiting for you .",
        "Ich habe sie letzte Woche besucht und der Bauer wartet auf dich .",
        "Я на прошлой неделе навестил их , а фермер ждёт тебя .",
        "Geçen hafta onları ziyaret ettim ve çiftçi seni bekliyor .",
    ),
}


@pytest.fixture(scope="module")
def says():
    return realisers()


@pytest.mark.parametrize("index, language", list(enumerate(("en", "de", "ru", "tr"))))
@pytest.mark.parametrize("rule", SENTENCES)
def test_grammar(says, rule, index, language):
    meaning, *expected = SENTENCES[rule]
    assert text(says[language](meaning)) == expected[index]


# (rule, source, target) -> links drawn by hand
ALIGNMENTS = {
    # Der Junge liest das Buch . / The boy is reading the book .
    ("present, definite object", "de", "en"): "0-0 1-1 2p2 2-3 3-4 4-5 5-6",
    # Мальчик читает книгу . / The boy is reading the book .
    ("present, definite object", "ru", "en"): "0p0 0-1 1p2 1-3 2p4 2-5 3-6",
    # Oğlan kitabı okuyor . / The boy is reading the book .
    ("present, definite object", "tr", "en"): "0p0 0-1 1p4 1-5 2p2 2-3 3-6",
    # Der Junge liest das Buch . / Мальчик читает книгу .
    ("present, definite object", "de", "ru"): "0p0 1-0 2-1 3p2 4-2 5-3",
    # Sie hat keine Milch getrunken . / She did not drink milk .
    ("kein; mass noun; imperfective under negation", "de", "en"): "0-0 1-1 2-2 3-4 4-3 5-5",
    # Süt içmedi . / She did not drink milk .
    ("kein; mass noun; imperfective under negation", "tr", "en"): "0-4 1p0 1p1 1p2 1-3 2-5",
    # Am Montag ist Anna zum Bahnhof gegangen . / On Monday Anna went to the station .
    (
        "verb second after a fronted time; sein perfect; zum",
        "de",
        "en",
    ): "0-0 1-1 2p3 3-2 4-4 4-5 5-6 6-3 7-7",
    # Мать знает , что брат завтра позвонит моему другу .
    # The mother knows that the brother will call my friend tomorrow .
    (
        "subordinate that: verb last; nominalised",
        "ru",
        "en",
    ): "0p0 0-1 1-2 3-3 4p4 4-5 5-10 6p6 6-7 7-8 8-9 9-11",
    # Anne erkek kardeşin yarın arkadaşıma telefon edeceğini biliyor .
    (
        "subordinate that: verb last; nominalised",
        "tr",
        "en",
    ): "0p0 0-1 1-5 2p4 2-5 3-10 4p8 4-9 5-7 6p3 6p6 6-7 7-2 8-11",
    # Die Mutter weiß , dass der Bruder morgen meinen Freund anrufen wird .
    # Мать знает , что брат завтра позвонит моему другу .
    (
        "subordinate that: verb last; nominalised",
        "de",
        "ru",
    ): "0p0 1-0 2-1 3-2 4-3 5p4 6-4 7-5 8-7 9-8 10-6 11p6 12-9",
    # Misafir öğretmenin yeni penceresini dikkatlice açtı .
    # The guest opened the teacher 's new window carefully .
    (
        "possessor: 's, genitive, double marking",
        "tr",
        "en",
    ): "0p0 0-1 1p3 1-4 1p5 2-6 3p5 3-7 4-8 5-2 6-9",
    # Dün bir elma yedin mi ? / Did you eat an apple yesterday ?
    (
        "an before the noun; time; question",
        "tr",
        "en",
    ): "0-5 1-3 2-4 3p0 3p1 3-2 4p6 5-6",
}


@pytest.mark.parametrize("key", ALIGNMENTS, ids=lambda key: f"{key[0]}, {key[1]}-{key[2]}")
def test_alignment(says, key):
    rule, source, target = key
    meaning = SENTENCES[rule][0]
    assert pharaoh(says[source](meaning), says[target](meaning)) == ALIGNMENTS[key]


def test_languages_share_their_units(says):
    """Whatever is said as a word of its own, other than articles, is said in every language."""
    sampler = Sampler("units")
    for _ in range(500):
        sentence = sampler.sentence()
        lines = {language: say(sentence) for language, say in says.items()}
        for language, tokens in lines.items():
            everywhere = {unit for token in tokens for unit in token.sure + token.possible}
            for other, said in lines.items():
                words = {unit for token in said for unit in token.sure}
                missing = {unit for unit in words - everywhere if unit[-1] not in ",dI"}
                assert not missing, (language, other, missing, text(tokens), text(said))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "raw"
    writer.write(path, SMALL)
    return path


def lines(path: Path) -> list[str]:
    content = path.read_text(encoding="utf-8")
    assert content.endswith("\n")
    return content.split("\n")[:-1]


def test_counts_and_names(folder):
    counts = {"train": 600, "valid": 20, "test": 30}
    expected = {"README.md", "held-out.tsv", writer.MANIFEST}
    for split, count in counts.items():
        for pair in PAIRS:
            for language in pair.split("-"):
                assert len(lines(folder / f"{split}.{pair}.{language}")) == count
                expected.add(f"{split}.{pair}.{language}")
            if split != "train":
                assert len(lines(folder / f"{split}.{pair}.gold")) == count
                expected.add(f"{split}.{pair}.gold")
    for language in LANGUAGES:
        assert len(lines(folder / f"train.{language}")) == 40
        assert len(lines(folder / f"valid.{language}")) == 20
        expected |= {f"train.{language}", f"valid.{language}"}
    assert set(os.listdir(folder)) == expected
    assert "synthetic" in (folder / "README.md").read_text(encoding="utf-8")


def test_the_pairs_are_multi_parallel(folder):
    for split in ("train", "valid", "test"):
        english = {(folder / f"{split}.{pair}.en").read_bytes() for pair in PAIRS[:3]}
        german = {(folder / f"{split}.{pair}.de").read_bytes() for pair in ("de-en", "de-ru")}
        assert len(english) == len(german) == 1


def test_no_sentence_occurs_twice(folder):
    for language, pair in (("de", "de-en"), ("ru", "ru-en"), ("tr", "tr-en"), ("en", "de-en")):
        everything = []
        for split in ("train", "valid", "test"):
            everything += lines(folder / f"{split}.{pair}.{language}")
        everything += lines(folder / f"train.{language}") + lines(folder / f"valid.{language}")
        assert len(set(everything)) == len(everything) == 600 + 20 + 30 + 40 + 20


def test_text_is_tokenised_and_short(folder):
    for path in folder.glob("t*.*-*.[drt]?"):
        for line in lines(path):
            tokens = line.split(" ")
            assert all(tokens) and 3 <= len(tokens) <= 20
            assert tokens[-1] in (".", "?") and line[0] == line[0].upper()


def test_every_test_word_is_known(folder):
    for pair in PAIRS:
        for language in pair.split("-"):
            train, test = (
                {
                    word
                    for line in lines(folder / f"{split}.{pair}.{language}")
                    for word in line.split()
                }
                for split in ("train", "test")
            )
            assert test <= train


def test_gold_links_point_at_words(folder):
    for split in ("valid", "test"):
        for pair in PAIRS:
            source, target, gold = (
                lines(folder / f"{split}.{pair}.{ending}") for ending in (*pair.split("-"), "gold")
            )
            for first, second, links in zip(source, target, gold):
                sizes = len(first.split()), len(second.split())
                pairs = [
                    tuple(map(int, link.replace("p", "-").split("-"))) for link in links.split()
                ]
                assert len(set(pairs)) == len(pairs)
                assert all(i < sizes[0] and j < sizes[1] for i, j in pairs)
                assert f"{sizes[0] - 1}-{sizes[1] - 1}" in links.split()  # the full stops


def test_held_out_combinations(monkeypatch):
    """Seen from the meanings themselves, not from the filter that the corpus is drawn with."""
    held_out = set(HELD_OUT)
    drawn: dict[str, list[Sentence]] = {}
    candidates = corpus_module._Drawing._candidates

    def recorded(self, stream, is_test):
        for sentence in candidates(self, stream, is_test):
            drawn.setdefault("test" if is_test else "other", []).append(sentence)
            yield sentence

    monkeypatch.setattr(corpus_module._Drawing, "_candidates", recorded)
    corpus_module.draw(SMALL)
    assert all(held_out.intersection(combinations(sentence)) for sentence in drawn["test"])
    assert not any(held_out.intersection(combinations(sentence)) for sentence in drawn["other"])
    assert len(drawn["test"]) >= 30 and len(drawn["other"]) >= 600


def test_a_held_out_combination_in_words(folder):
    """A combination of the list, in words, is in no sentence but those of the test split."""
    known = {tuple(line.split("\t")) for line in lines(folder / "held-out.tsv")}
    assert known == set(HELD_OUT)
    assert ("expensive", "apple") in known
    for path in (*folder.glob("train*.en"), *folder.glob("valid*.en")):
        assert "expensive apple" not in path.read_text(encoding="utf-8")


def test_same_seed_same_bytes(folder, tmp_path):
    writer.write(tmp_path / "again", SMALL)
    for name_ in os.listdir(folder):
        assert (folder / name_).read_bytes() == (tmp_path / "again" / name_).read_bytes()


def test_another_seed_is_another_corpus(folder, tmp_path):
    other = Settings(("de-en",), 600, 20, 30, 40, seed=2)
    writer.write(tmp_path / "other", other)
    assert lines(tmp_path / "other" / "train.de-en.en") != lines(folder / "train.de-en.en")


def test_pairs_change_no_sentence(folder, tmp_path):
    writer.write(tmp_path / "one", Settings(("de-ru",), 600, 20, 30, 40))
    assert lines(tmp_path / "one" / "test.de-ru.ru") == lines(folder / "test.ru-en.ru")
    assert not (tmp_path / "one" / "train.en").exists()


def command(directory: Path, *flags: str) -> list[str]:
    return [
        *("demo-corpus", str(directory), "--train-sentences", "400", "--valid-sentences", "3"),
        *("--test-sentences", "2", "--mono-sentences", "0", *flags),
    ]


def test_command(tmp_path, capsys):
    target = tmp_path / "deep" / "raw"
    assert main(command(target, "--train-gold")) == 0
    assert "400 train, 3 valid, 2 test pairs" in capsys.readouterr().out
    assert len(lines(target / "train.tr-en.gold")) == 400
    assert main(command(target, "--train-gold")) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert [path.name for path in target.parent.iterdir()] == ["raw"]


def test_it_says_how_far_it_is(tmp_path, capsys, progress_of):
    assert main(command(tmp_path / "raw", "--mono-sentences", "2")) == 0
    expected = {"train": 400, "valid": 3, "test": 2}
    expected.update({f"train.{language}": 2 for language in LANGUAGES})
    expected.update({f"valid.{language}": 3 for language in LANGUAGES})
    assert progress_of(capsys.readouterr().err) == {
        f"drawing {name}": f"{count} of {count} sentences" for name, count in expected.items()
    }


@pytest.mark.parametrize(
    "flags, complaint",
    [
        (["--seed", "9"], "other settings (seed 1, not 9)"),
        (["--pairs", "de-fr"], "de-fr is not a pair"),
        (["--pairs", "de-de"], "de-de is not a pair"),
        (["--pairs", "de-en", "de-en"], "names a pair twice"),
        (["--test-sentences", "0"], "--test-sentences must be at least 1, not 0"),
    ],
)
def test_mistakes(tmp_path, capsys, flags, complaint):
    target = tmp_path / "raw"
    main(command(target))
    before = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}
    capsys.readouterr()
    assert main(command(target, *flags)) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1
    assert {path.name: path.stat().st_mtime_ns for path in target.iterdir()} == before


def test_refuses_other_folders_and_changed_corpora(tmp_path):
    settings = Settings(("de-en",), 400, 3, 2, 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="is not empty .it holds thesis.tex"):
        writer.write(tmp_path / "mine", settings)
    with pytest.raises(UserError, match="cannot write"):
        writer.write(tmp_path / "mine" / "thesis.tex", settings)
    (tmp_path / "empty").mkdir()
    writer.write(tmp_path / "empty", settings)
    (tmp_path / "empty" / "train.de-en.de").write_text("x\n")
    with pytest.raises(UserError, match=r"train\.de-en\.de is missing or was changed"):
        writer.write(tmp_path / "empty", settings)
    (tmp_path / "empty" / writer.MANIFEST).write_text("{}")
    with pytest.raises(UserError, match="cannot be read"):
        writer.write(tmp_path / "empty", settings)


def test_asks_for_more_text_when_words_are_missing(monkeypatch):
    monkeypatch.setattr(corpus_module, "_PATIENCE", 300)
    with pytest.raises(UserError, match="for more --train-sentences"):
        corpus_module.draw(Settings(("de-en",), 1, 1, 5, 0))


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interruption_leaves_nothing(tmp_path, monkeypatch, failure):
    def fail(*_):
        raise failure

    monkeypatch.setattr(writer, "_readme", fail)
    with pytest.raises((KeyboardInterrupt, UserError)):
        writer.write(tmp_path / "raw", Settings(("de-en",), 400, 3, 2, 0))
    assert list(tmp_path.iterdir()) == []
