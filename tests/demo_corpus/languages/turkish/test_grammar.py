"""Turkish sentences; the name of a meaning lists the rules that it shows in all languages."""

from __future__ import annotations

import pytest

from demo_corpus_meanings import MEANINGS
from fairseq_amber.demo_corpus.languages.turkish.grammar import realise
from fairseq_amber.demo_corpus.tokens import text

SENTENCES = dict(
    [
        ("present, definite object", "Oğlan kitabı okuyor ."),
        (
            "an before a vowel; mixed declension; place",
            "Bir kadın pazarda kırmızı bir elma satın aldı .",
        ),
        ("an before the noun; time; question", "Dün bir elma yedin mi ?"),
        ("person on the particle", "Şimdi çalışıyor musun ?"),
        ("habit: simple present, imperfective; verb of motion", "Çocuk her gün okula gidiyor ."),
        (
            "verb second after a fronted time; sein perfect; zum",
            "Pazartesi günü Anna istasyona gitti .",
        ),
        ("separable prefix; negation; aus, из, ablative", "Ormandan dönmüyorum ."),
        (
            "double object; dative; indefinite next to the Turkish verb",
            "Adam kıza bir çiçek verdi .",
        ),
        ("definite before the recipient", "Kız kardeş resmi Maria'ya gösterecek ."),
        ("kein; mass noun; imperfective under negation", "Süt içmedi ."),
        (
            "animate accusative plural after a numeral; habitual past",
            "Doktor sık sık iki akıllı oğlan gördü .",
        ),
        ("numerals with genitives; plural subject", "İki kedi beş anahtar buldu ."),
        (
            "n-declension; animate accusative; accusative of names",
            "Öğrenci komşuyu seviyor , ama Elena Viktor'u tanımıyor .",
        ),
        ("dative verbs; one's own", "Büyükannemize yardım ediyoruz ."),
        ("companion: с, -le", "Kız bu öğrenciyle oynadı ."),
        ("companion: со before two consonants", "Şarkıcı öğrenciyle şarkı söyleyecek ."),
        (
            "possessor: 's, genitive, double marking",
            "Misafir öğretmenin yeni penceresini dikkatlice açtı .",
        ),
        (
            "subordinate that: verb last; nominalised",
            "Anne erkek kardeşin yarın arkadaşıma telefon edeceğini biliyor .",
        ),
        (
            "that: separable verb joined; third person genitive",
            "Aşçının kapıyı kapatmadığını söyledi .",
        ),
        ("preterites; imperfect", "Evin eski olduğunu düşünüyorlardı ."),
        ("because: short adjectives; subject dropped", "Kadın uyudu , çünkü hastaydı ."),
        ("because: plural dropped; negated", "Bu misafirler ağlıyor , çünkü mutlu değiller ."),
        ("quality in the present; weak declension", "Mavi bisiklet ucuz ."),
        (
            "quality in the past: instrumental; fronted vowels against the last",
            "Senin baban meşguldü .",
        ),
        ("future of be; plural in the instrumental", "Portakallar pahalı olacak ."),
        ("comparison", "Bu şehir köyümüzden daha büyük ."),
        ("comparison with more; old of the living", "Büyükbaba attan daha yaşlı mıydı ?"),
        ("position: dative, instrumental, possessed postposition", "Köpek büyük masanın altında ."),
        ("position in the past; im; шкафу", "Paltom dolabın içindeydi ."),
        ("being at a place; negated; genitive plural", "Bahçede değiliz ."),
        ("want: infinitive last; perfective", "Şoför bugün eski bir araba tamir etmek istiyor ."),
        ("must: gender, person", "Beyaz gömlekler yıkamak zorundayım ."),
        ("pronoun objects; and", "Geçen hafta onları ziyaret ettim ve çiftçi seni bekliyor ."),
    ]
)


@pytest.mark.parametrize("rules", MEANINGS)
def test_sentences(rules):
    assert text(realise(MEANINGS[rules])) == SENTENCES[rules]
