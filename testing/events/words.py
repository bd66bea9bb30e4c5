"""Words of nine languages, most frequent first, so that generated posts compress like real text."""
# ruff: noqa: RUF001 - fullwidth punctuation is what Japanese is written with, Cyrillic what Russian is

from __future__ import annotations


def _words(block: str) -> list[str]:
    return block.split()


ENGLISH = _words(
    """
    the to a and I of is in it that you for my this on with so be not are just but have was at like
    all me we do your what if they can people get out about no from one as when more up now he time
    good their there really how would know will or has think her love she day don't it's I'm can't
    that's new who want been see going got some them need make because still us our work back today
    way only even too right than here an never much his by over thing things also very first always
    then had into why every being year those after off feel great look something best years little
    where take same were last lot life most said any other world say actually happy again before game
    better these everyone please thank thanks art well made start hope someone bad morning night long
    find show week pretty help big home which come nothing own trying keep doing talk yet read watch
    old mean real down him post friends maybe nice done music part might book white house government
    cannot should stop wrong live play tomorrow coffee weather election story picture finally together
    through believe remember country probably money school yesterday women news around without
    children against beautiful photo question enough police whole support free kids dog cat anyone
    both tell media place run black each having getting ever already soon half train city water garden
    birds autumn snow rain summer river mountain sunset bread dinner recipe kitchen paint sketch
    commission character stream episode season chapter novel author podcast album guitar concert
    tickets football league goal match coach referee vote senate court judge ruling climate energy
    science paper data model study health doctor vaccine hospital union strike rent market prices
    inflation shop sale shipping print sticker keyboard server update bug release code software
    account follow feed timeline skeets moderation hashtag
    """
)

PORTUGUESE = _words(
    """
    que de e o a não eu um é pra do com da no em uma se mais na por tá me muito meu mas vai tem foi
    isso minha ele só já gente ela bem bom dia os as como quando hoje vou todo mundo ser agora aqui
    até sem também esse essa nada tudo ter fazer amo vida casa então assim acho ainda nunca sempre
    coisa porque quem saudade noite tempo amanhã dormir trabalho jogo time gol música show filme série
    café chuva calor praia amor amiga verdade demais cara mano vontade sono feliz triste melhor pior
    primeiro ontem semana domingo sexta sábado aniversário parabéns obrigada governo dinheiro escola
    faculdade prova ônibus cachorro gato comida pizza mercado preço notícia cidade
    """
)

GERMAN = _words(
    """
    die der und ich ist das nicht in zu es ein mit auf den man auch so für von sich noch wie aber hat
    mir wenn sie wir nur was schon dass da bei wird mal aus im eine einen dann jetzt heute doch haben
    kann mehr um immer über sind war nach vor zum kein gut werden oder wieder hier durch alles einfach
    ganz sehr also vielleicht morgen Menschen Jahr Zeit Leben Bahn Wetter Regen Kaffee Katze Hund
    Garten Buch Regierung Wahl Klima Geld Arbeit Wochenende Feierabend Fußball Spiel Tor Musik Konzert
    Stadt Fahrrad Verspätung Kinder Schule Krankenhaus endlich tatsächlich eigentlich natürlich
    wirklich schön bitte danke genau gestern nächste Woche Bundestag Zeitung Frage Antwort
    """
)

SPANISH = _words(
    """
    de que la no el a y en me un es lo se los con para mi por una las te si del ya al como pero más
    muy hay tengo está todo eso qué bien hoy yo esta ser son cuando porque nada solo así hacer vida
    día gracias siempre vez mejor gente ahora años nunca tiempo quiero hasta desde alguien mundo casa
    trabajo noche mañana amigos feliz foto libro música serie película partido gol gobierno país
    dinero ciudad lluvia calor playa perro gato comida tortilla café domingo semana buenos días igual
    creo verdad menos mucho donde quien sobre entre primera última historia canción corazón
    """
)

KOREAN = _words(
    """
    너무 진짜 오늘 나 이거 그냥 근데 왜 아 내가 있는 좀 더 하고 같은 다시 이제 많이 지금 같다 그리고
    보고 싶다 좋은 사람 집에 내일 어제 커피 밥 먹고 잠 자고 일어나서 출근 퇴근 고양이 강아지 사진 그림
    노래 영화 게임 비가 와서 날씨 춥다 덥다 행복하다 귀여워 감사합니다 안녕하세요 정말 이번 주말 친구
    생각 시간 하루 마음 생일 축하해 아침 저녁 학교 회사 버스 지하철 맛있다 힘들다 재밌다 최고
    """
)

JAPANESE = _words(
    """
    の は に を て が で た も な と し い です ます から まで けど った ない この その って だった
    今日 今日は 明日 昨日 おはよう ございます ありがとう よろしく お願いします かわいい 好き すごい
    たのしい 仕事 帰り ご飯 食べた 寝る 眠い 雨 天気 寒い 暑い 写真 絵 描いた 描きたい 漫画 アニメ
    映画 音楽 ゲーム 配信 新しい 本当に 思った 思う みんな 人 自分 時間 朝 夜 週末 猫 犬 花 桜 紅葉
    電車 散歩 コーヒー お茶 ラーメン カレー お疲れさま がんばる うれしい 楽しみ 久しぶり 誕生日 なんか
    めっちゃ やっぱり もう まだ ちょっと また 、 。 ！ 〜 笑
    """
)

FRENCH = _words(
    """
    de la le et les des à est en que un pour pas une je dans qui ne ce du sur au plus c'est il avec
    on vous mais se par j'ai tout sont ça bien elle nous fait comme même si aussi être cette ou leur
    très encore quand rien faut avoir peu sans merci jour vie temps monde soir matin année France
    gouvernement loi président travail école train grève pluie soleil chat chien livre film musique
    photo match café pain fromage ville rue week-end demain hier aujourd'hui toujours jamais vraiment
    peut-être parce voilà bonne bonjour alors donc déjà enfin beaucoup trop personne quelqu'un
    """
)

TURKISH = _words(
    """
    bir ve bu da ne için de çok ben gibi daha o ama var mı kadar her şey sen sonra en iyi ki değil
    olan güzel yok biz bile hiç nasıl diye böyle bugün zaman gün insan olarak artık kendi oldu zaten
    önce şimdi yine aynı bana beni sabah gece akşam hayat dünya ülke para okul iş ev çay kahve deniz
    yağmur kedi köpek film müzik maç gol takım seçim hükümet mahkeme haber fotoğraf arkadaş günaydın
    teşekkürler lütfen belki gerçekten sadece bence herkes kimse neden olsun olmaz geldi gitti yarın
    """
)

RUSSIAN = _words(
    """
    и в не на я что с это как а у по но из то же все так за меня мне вот он уже бы если есть было
    только ещё нет очень когда для мы от его или можно надо просто тоже там сегодня вчера завтра
    потом сейчас день время люди жизнь работа дом город кофе чай кот собака книга фильм музыка игра
    дождь снег весна утро вечер ночь спасибо привет хорошо вообще почему кто где теперь больше может
    человек страна война мир деньги школа друг фото рисунок думаю хочу знаю люблю никогда всегда
    """
)

EMOJI = _words(
    """
    😂 ❤️ 😭 🥰 ✨ 🙏 🔥 💙 👀 😊 🎉 💀 🤣 🌸 🐈 🐶 ☕ 🎶 📷 🦋 👏 😅 💜 🥺 🌈 ⚽
    """
)

SYLLABLES = _words(
    """
    al an ar as ba be bo bra ca chi co da del di do el en er es fa fer ga gen go ha hel hi in is ja jo
    ka ken la le lin lo lu ma mer mi mo na nor o pa pen ra ri ro sa sen shi so ta ter to u va ver vi
    wa wil wo ya yo za
    """
)
"""For names, handles and rare words, which a frequency list does not hold."""

LANGUAGES: dict[str, tuple[str, list[str]]] = {
    "en": (" ", ENGLISH),
    "pt": (" ", PORTUGUESE),
    "ja": ("", JAPANESE),
    "de": (" ", GERMAN),
    "es": (" ", SPANISH),
    "ko": (" ", KOREAN),
    "fr": (" ", FRENCH),
    "tr": (" ", TURKISH),
    "ru": (" ", RUSSIAN),
}
"""Separator and words by language tag."""

_OFTEN = {"en": 26, "ja": 8, "pt": 4, "de": 3, "es": 3, "fr": 2, "tr": 2, "ko": 1, "ru": 1}
SPOKEN = [language for language, often in _OFTEN.items() for _ in range(often)]
"""Language tags by frequency: half of them English, as in the 17 posts captured in July 2026."""
