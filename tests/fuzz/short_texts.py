"""Short texts in old code pages: each must be read as what it is, or refused. A few letters fit
many encodings, so a short text is refused more often than a long one; none may be read wrongly.

A text is some words of a language, sometimes among English ones, in capitals, in quotation marks,
or with a number, in one of the encodings in which that language was written. Node reads it with
the page's own `asText`.

    python3 -m tests.fuzz.short_texts --count 100000 --seed 1
"""

import argparse
import base64
import json
import random
import subprocess

from tests.hosts import NODE, ROOT

CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
WEST = ("cp1252", "iso8859-1", "iso8859-15", "mac-roman", "cp850", "cp437")
CENTRAL = ("cp1250", "iso8859-2", "cp852", "mac-latin2")
# language: (encodings, words of running text)
LANGUAGES = {
    "Russian": (CYRILLIC, """
        все счастливые семьи похожи друг на друга каждая несчастливая семья несчастлива по
        своему в начале было слово мороз и солнце день чудесный ещё ты дремлешь друг прелестный
        привет мир как дела спасибо за помощь это очень хорошо нет ошибка файл не найден
        сохранить отмена настройки пользователь"""),
    "Ukrainian": (("cp1251", "koi8-u", "iso8859-5", "mac-cyrillic"), """
        ще не вмерла україни і слава і воля ще нам браття молодії усміхнеться доля привіт світе
        як справи дякую за допомогу її життя їжак об'єкт"""),
    "Bulgarian": (("cp1251", "iso8859-5", "cp866", "mac-cyrillic"), """
        всички хора се раждат свободни и равни по достойнство и права здравей свят благодаря
        много как си добър ден грешка във файла"""),
    "Serbian": (("cp1251", "iso8859-5", "mac-cyrillic"), """
        сва људска бића рађају се слободна и једнака у достојанству здраво свете хвала лепо
        како си"""),
    "Greek": (("cp1253", "iso8859-7", "cp737", "mac-greek"), """
        όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα γεια
        σου κόσμε ευχαριστώ πολύ καλημέρα τι κάνεις το αρχείο δεν βρέθηκε"""),
    "Hebrew": (("cp1255", "iso8859-8"), """
        כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם שלום עולם תודה רבה בוקר טוב מה
        שלומך הקובץ לא נמצא"""),
    "Arabic": (("cp1256", "iso8859-6"), """
        يولد جميع الناس أحرارا متساوين في الكرامة والحقوق مرحبا بالعالم شكرا جزيلا صباح الخير
        كيف حالك الملف غير موجود"""),
    "Thai": (("tis-620", "cp874"), """
        สวัสดี ชาวโลก ขอบคุณ มาก มนุษย์ ทั้งหลาย เกิดมา มี อิสระ และ เสมอภาค"""),
    "Japanese": (("shift_jis", "cp932", "euc-jp"), """
        吾輩は猫である 名前はまだ無い どこで生れたかとんと見当がつかぬ こんにちは世界
        ありがとう 東京 日本語 テスト ファイルが見つかりません 設定 カタカナ
        国境の長いトンネルを抜けると雪国であった"""),
    "Chinese": (("gbk", "gb18030", "gb2312"), """
        敏捷的棕色狐狸跳过了懒狗 这是一个测试文件 用来训练模型 你好 世界 谢谢 中国 北京 学习
        人人生而自由 在尊严和权利上一律平等 找不到文件 设置 床前明月光 疑是地上霜"""),
    "Taiwanese": (("big5", "cp950"), """
        敏捷的棕色狐狸跳過了懶狗 這是一個測試檔案 用來訓練模型 你好 世界 謝謝 臺灣 學習
        人人生而自由 在尊嚴和權利上一律平等 找不到檔案 設定 舉頭望明月 低頭思故鄉"""),
    "Korean": (("euc-kr", "cp949"), """
        모든 국민은 법 앞에 평등하다 누구든지 성별에 의하여 차별을 받지 아니한다 안녕하세요
        세계 감사합니다 한국어 서울 파일을 찾을 수 없습니다 설정 동해물과 백두산이 마르고
        닳도록"""),
    "French": (WEST, """
        voilà l'été où noël fut fêté ça c'est sûr déjà vu garçon élève être après très leçon
        œuvre cœur naïve août dîner forêt hôtel île français le la les de un une et"""),
    "German": (WEST, """
        falsches üben von xylophonmusik quält jeden größeren zwerg schöne grüße straße mädchen
        für über äpfel öl müller weiß das und der die ist nicht"""),
    "Spanish": (WEST, """
        el niño comió piñas mañana ¿qué? ¡sí! corazón años español acción pingüino está también
        un la los de y"""),
    "Portuguese": (WEST, """
        não coração ações você português amanhã irmã pão avó avô está também um uma de e o a"""),
    "Italian": (WEST, """
        perché città più può è già università caffè così il la di e un una però"""),
    "Swedish": (WEST, """
        flygande bäckasiner söka hwila på mjuka tuvor år öl ö å är från går och en det"""),
    "Danish": (WEST, """
        høj bly gom vandt fræk sexquiz på wc æble ørn år også søger og en det"""),
    "Icelandic": (WEST, """
        þetta er ísland kæri vinur sæll góðan daginn hvað segir þú það á í og að"""),
    "Polish": (CENTRAL, """
        zażółć gęślą jaźń dziękuję proszę świat źdźbło łódź książka mówić cześć że są być i w
        na z"""),
    "Czech": (CENTRAL, """
        příliš žluťoučký kůň úpěl ďábelské ódy děkuji dobrý den čeština řeka město není a v na
        se"""),
    "Slovak": (CENTRAL, """
        vypätá dcéra grófa maxwella ďakujem dobrý deň ľúbiť kôň stĺp môže čaj a v na sa"""),
    "Hungarian": (CENTRAL, """
        árvíztűrő tükörfúrógép köszönöm jó napot őszi erdő hűség szép nő a az és egy"""),
    "Romanian": (CENTRAL, """
        băiat şcoală ţară mulţumesc bună ziua când şi în frumoasă a la de un o"""),
    "Croatian": (CENTRAL, """
        čovjek žena šuma đak ćevapi hvala dobro jutro riječ i u na je"""),
    "Turkish": (("cp1254", "iso8859-9", "cp857", "mac-turkish"), """
        pijamalı hasta yağız şoföre çabucak güvendi teşekkür ederim günaydın ığdır çiçek
        öğrenci şişe ve bir bu için"""),
    "Lithuanian": (("cp1257", "iso8859-13", "iso8859-4"), """
        įlinkdama fechtuotojo špaga sublykčiojusi pragręžė apvalų arbūzą ačiū žmogus ąžuolas ir
        yra"""),
    "Latvian": (("cp1257", "iso8859-13", "iso8859-4"), """
        muļķa hipiji mēģina brīvi nogaršot celofāna žņaudzējčūsku paldies labrīt ūdens ēst un
        ir"""),
    "Estonian": (("cp1257", "iso8859-13", "iso8859-15"), """
        põdur zagrebi tšellomängija võttis öö äär õun üks täna ja on see"""),
    "Vietnamese": (("cp1258",), """
        chào thế giới xin cảm ơn việt nam"""),
}  # fmt: skip
UNSPACED = ("Japanese", "Chinese", "Taiwanese")
ENGLISH = "the quick brown fox jumps over a lazy dog user says file name version test hello".split()


def case(rng):
    """(language, encoding, text, its bytes)."""
    while True:
        language = rng.choice(list(LANGUAGES))
        encodings, source = LANGUAGES[language]
        encoding, words = rng.choice(encodings), source.split()
        parts = [rng.choice(words) for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 6, 9, 14)))]
        for _ in range(rng.choice((0, 0, 0, 1, 3, 8))):
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(ENGLISH))
        text = rng.choice((" ", " ", " ", "\n", ", ", "" if language in UNSPACED else " ")).join(parts)
        text = rng.choice((str, str, str, str.capitalize, str.upper, str.title))(text)
        if rng.random() < 0.15:
            text = (
                rng.choice(('"%s"', "„%s“", "«%s»", "“%s”", "(%s)", "– %s", "「%s」", "%s 2024", "%s!", "%s…")) % text
            )
        text += rng.choice(("", "", ".", "\n"))
        try:
            data = text.encode(encoding)
        except UnicodeEncodeError:
            continue
        if not text.isascii() and not is_utf8(data):
            return language, encoding, text, data


def is_utf8(data):
    """Whether the bytes are UTF-8 by chance, as those of two Chinese characters may be."""
    try:
        return bool(data.decode())
    except UnicodeDecodeError:
        return False


READ = """
    const { readFileSync } = await import("node:fs");
    const { asText } = await import(`${process.cwd()}/app/data/text_file.js`);
    const answers = [];
    for (const data of JSON.parse(readFileSync(0, "utf8")))
        try { answers.push(await asText(new Uint8Array(Buffer.from(data, "base64")), "words.txt").blob.text()); }
        catch (error) { answers.push(null); }
    console.log(JSON.stringify(answers));
"""


def read(files):
    """What the page makes of each file: its text, or None where it refuses."""
    command = [str(NODE), "--input-type=module", "-e", READ]
    given = json.dumps([base64.b64encode(data).decode() for data in files])
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fuzz(count, seed):
    """(how many texts were read rightly, the cases that were read wrongly)."""
    rng = random.Random(seed)
    cases = [case(rng) for _ in range(count)]
    right, wrong = 0, []
    for (language, encoding, text, _), got in zip(cases, read([data for *_, data in cases]), strict=True):
        right += got == text
        if got not in (None, text):
            wrong.append((language, encoding, text, got))
    return right, wrong


def main():
    """The command of the docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    right, wrong = fuzz(options.count, options.seed)
    for found in wrong[:40]:
        print("%s in %s: %r was read as %r" % found)
    print("%d texts: %d read, %d refused, %d read wrongly" % (
        options.count, right, options.count - right - len(wrong), len(wrong)))  # fmt: skip
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
