// Bytes that are not UTF-8 as text: which encoding they are in.
//
//   marked(bytes)      of a text that begins with a byte order mark of UTF-16 or UTF-32:
//                      {encoding, text}, text being null where the bytes are none; or null
//   unmarkedWide(bytes)  the same for UTF-16 and UTF-32 without a mark, which shows by its zeros
//   guessed(bytes)     {encoding, text} of an 8-bit or an East Asian encoding, or {perhaps: [name]}
//                      where it is not certain
//   implausible(text)  why a decoded text is none, or null
//
// A short text fits many encodings: below SHORT bytes above 127 all of them are compared, those of
// DOS and of the Macintosh too, and a rival that comes near makes the text uncertain.
//
// Every encoding gives some text for almost any bytes. So the letters decide: a text of a language
// has its commonest letters often. Which encoding it is must be clear by MARGIN, or it is refused.

import { decoded } from "./code_pages.js";

const SAMPLE = 1 << 18; // bytes that are judged
const MARGIN = 1.25;
const RUN = 1.5; // mean length of runs of bytes above 127; in Western text they stand alone

const KANA = "\\u3041-\\u3093\\u30a1-\\u30f6ー";
const SIMPLIFIED =
  "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运红快跳过狗读写字编码模型训练语言";
const TRADITIONAL =
  "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且權思王象完設式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運紅快跳狗讀寫字編碼模型訓練語言";
const HANGUL =
  "이다는을가의에고하지한로도어나사은를있기자리시서그아대인라해들정수보일만스부과제것여장오니면주동안전성상조할우게요으생무신간모비국까와습되었같때문말";

// label of TextDecoder, name, the letters that are its own, those that are common in its language,
// and the share of the letters that these have at least (more for an encoding that is rare)
const SCRIPTS = [
  ["shift_jis", "Shift-JIS (Japanese)", "\\p{L}", KANA, 0.3],
  ["euc-jp", "EUC-JP (Japanese)", "\\p{L}", KANA, 0.3],
  ["gb18030", "GBK (Chinese)", "\\p{sc=Han}", SIMPLIFIED, 0.3],
  ["big5", "Big5 (Chinese)", "\\p{sc=Han}", TRADITIONAL, 0.3],
  ["euc-kr", "EUC-KR (Korean)", "\\p{sc=Hangul}", HANGUL, 0.3],
  ["windows-1251", "Windows-1251 (Cyrillic)", "\\p{sc=Cyrillic}", "оеаинтсрвлкмдпуі", 0.6],
  ["koi8-u", "KOI8 (Cyrillic)", "\\p{sc=Cyrillic}", "оеаинтсрвлкмдпуі", 0.6],
  ["ibm866", "IBM 866 (Cyrillic)", "\\p{sc=Cyrillic}", "оеаинтсрвлкмдпуі", 0.6],
  ["iso-8859-5", "ISO 8859-5 (Cyrillic)", "\\p{sc=Cyrillic}", "оеаинтсрвлкмдпуі", 0.6],
  ["x-mac-cyrillic", "Macintosh Cyrillic", "\\p{sc=Cyrillic}", "оеаинтсрвлкмдпуі", 0.7],
  ["windows-1253", "Windows-1253 (Greek)", "\\p{sc=Greek}", "αάοόιίεέτσςνηήυύρπκ", 0.65],
  ["iso-8859-7", "ISO 8859-7 (Greek)", "\\p{sc=Greek}", "αάοόιίεέτσςνηήυύρπκ", 0.65],
  ["ibm737", "IBM 737 (Greek)", "\\p{sc=Greek}", "αάοόιίεέτσςνηήυύρπκ", 0.65],
  ["x-mac-greek", "Macintosh Greek", "\\p{sc=Greek}", "αάοόιίεέτσςνηήυύρπκ", 0.65],
  ["windows-874", "Windows-874 (Thai)", "\\p{sc=Thai}", "าอนกรเ่งมลวดท้ัสตีิ", 0.55],
  ["windows-1255", "Windows-1255 (Hebrew)", "\\p{sc=Hebrew}", "ויהלאמרתשנב", 0.6],
  ["windows-1256", "Windows-1256 (Arabic)", "\\p{sc=Arabic}", "اليمنتربوهةعد", 0.6],
  ["iso-8859-6", "ISO 8859-6 (Arabic)", "\\p{sc=Arabic}", "اليمنتربوهةعد", 0.6],
];
// the letters beyond ASCII of each language
const WEST = "éèêëàâçùûüôîïœæÿ äöüß áéíóúüñªº ãõáâàçéêíóôúü àèéìíòóùú åäöøæéü ðþæöáéíóúý ëïéèöüêáíó àçèéíïòóúü·";
const CENTRAL = "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű ăâîşţ čćđšž";
const TURKISH = "çğıİöşüâîû";
const BALTIC = "ąčęėįšųūž āčēģīķļņšūž äõöüšž";
const VIETNAMESE = "ăâđêôơưáàéèíìóòúùý\u0300\u0301\u0303\u0309\u0323";
// label, name, the letters of its languages
const LATIN = [
  ["windows-1252", "Windows-1252 (Western European)", WEST],
  ["windows-1250", "Windows-1250 (Central European)", CENTRAL],
  ["windows-1254", "Windows-1254 (Turkish)", TURKISH],
  ["windows-1257", "Windows-1257 (Baltic)", BALTIC],
  ["windows-1258", "Windows-1258 (Vietnamese)", VIETNAMESE],
  ["iso-8859-15", "ISO 8859-15 (Western European)", `${WEST} äõöüšž`],
  ["iso-8859-2", "ISO 8859-2 (Central European)", CENTRAL],
  ["iso-8859-4", "ISO 8859-4 (Baltic)", BALTIC],
  ["iso-8859-13", "ISO 8859-13 (Baltic)", BALTIC],
  ["macintosh", "Macintosh Roman (Western European)", WEST],
  ["x-mac-ce", "Macintosh Central European", `${CENTRAL} ${BALTIC}`],
  ["x-mac-turkish", "Macintosh Turkish", TURKISH],
  ["ibm850", "IBM 850 (Western European)", WEST],
  ["ibm437", "IBM 437 (Western European)", WEST],
  ["ibm852", "IBM 852 (Central European)", CENTRAL],
  ["ibm857", "IBM 857 (Turkish)", TURKISH],
  ["ibm775", "IBM 775 (Baltic)", BALTIC],
];
const SHORT = 400; // bytes above 127: below, every encoding is a rival of every other
const BRIEF = 40; // bytes above 127: below, rivals are suspected at a lower score
const MOST = 1.2; // a score that is as good as any
const EASTERN = /p\{L|Han|Hangul/; // scripts whose letters stand beside Latin ones without a space
const LONE = // a word of one letter that is none
  /(?<!\p{L})(?![авиокусяійєжбАВИОКУСЯІЄЖБοηόήωΟΗΌΉΩ])[\p{sc=Cyrillic}\p{sc=Greek}](?!\p{L})/gu;
const CONTRACTION = /[a-z]’(?:s|t|re|ve|ll|d|m)(?![\p{L}])/giu; // don’t: no other encoding has it
const CERTAIN = 0.97; // of the characters beyond ASCII that a language's letters and signs cover
// a sign where no text has it: an opening one behind a letter, any other between two
const MISPLACED = new RegExp(
  [
    "\\p{L}[„‚¿¡]",
    "\\p{L}[“”‘«»‹›…—°®©™•]\\p{L}",
    "[®©™§°]\\p{L}",
    "\\p{L}[§¢£¥€¨¯¤¦†‡±¶‰ˆ˜¬]",
    "(?<!\\p{L})\\u00ad|\\u00ad(?!\\p{L})",
    "\\p{Ll}(?!\\p{ASCII})\\p{Lu}|(?!\\p{ASCII})\\p{Ll}\\p{Lu}", // a capital within a word
    "(?!\\p{ASCII})\\p{L}[\\^\\]\\[\\\\{}|~@`#$%&*+=<>]|[\\^\\]\\[\\\\{}|~@`#$%&*+=<>](?!\\p{ASCII})\\p{L}",
    "(?<![aeiouyăâêôơư])[\\u0300\\u0301\\u0303\\u0309\\u0323]",
    "(?![…—–][”’“»«]|[”’“»«][…—–]|[“”][‘’]|[‘’][“”])[„“”‘’‚–—…«»‹›°§©®™€£†•·¿¡´`¨]{2}(?<!\\p{ASCII}{2})",
    "[\\x80-\\x9f]|(?<!\\d)[ªº]\\p{L}|(?!\\p{ASCII})\\p{L}°",
    "(?<![lL])·\\p{L}|\\p{L}·(?![lL])|[€‹›•†]\\p{L}|(?<!\\p{L})[´¨]\\p{L}",
    "(?<!\\p{L})(?![àáâéèêíìóòôúùöåæøÀÁÂÉÈÊÍÌÓÒÔÚÙÖÅÆØ])(?!\\p{ASCII})\\p{L}(?!\\p{L})", // a word of one letter
    "(?<!\\p{L})(?!ää|öö|üü|õõ)(?:(?!\\p{ASCII})\\p{L}){2,}[A-Za-z]?(?!\\p{L})|(?:(?!\\p{ASCII})\\p{L}){3}", // words with hardly a letter of ASCII
  ].join("|"),
  "gu",
);
const SIGNS = "„“”‘’‚–—…«»‹›°§©®™€£†•·¿¡´`¨\u00a0\u00ad";

const marks = (bytes, ...first) => first.every((byte, i) => bytes[i] === byte);

export function marked(bytes) {
  if (marks(bytes, 0xff, 0xfe, 0, 0)) return { encoding: "UTF-32", text: utf32(bytes.subarray(4), true) };
  if (marks(bytes, 0, 0, 0xfe, 0xff)) return { encoding: "UTF-32", text: utf32(bytes.subarray(4), false) };
  const little = marks(bytes, 0xff, 0xfe);
  if (!little && !marks(bytes, 0xfe, 0xff)) return null;
  const rest = bytes.subarray(2);
  // pairs of ASCII letters would be Chinese characters
  const ascii = rest.subarray(0, SAMPLE).every((byte) => byte < 128 && byte !== 0);
  return { encoding: "UTF-16", text: ascii && rest.length ? null : strictly(little ? "utf-16le" : "utf-16be", rest) };
}

export function unmarkedWide(bytes) {
  const part = bytes.subarray(0, SAMPLE - (SAMPLE % 4));
  const zeros = [0, 0, 0, 0];
  for (let i = 0; i < part.length; i++) zeros[i % 4] += part[i] === 0;
  const units = part.length / 4;
  const [a, b, c, d] = zeros.map((count) => count / units);
  if (bytes.length % 4 === 0) {
    if (d === 1 && c > 0.9 && a < 0.1) return { encoding: "UTF-32", text: utf32(bytes, true) };
    if (a === 1 && b > 0.9 && d < 0.1) return { encoding: "UTF-32", text: utf32(bytes, false) };
  }
  if (bytes.length % 2) return null;
  const [even, odd] = [a + c, b + d];
  if (even * odd > 0 || !part.length) return null;
  const text = strictly(odd ? "utf-16le" : "utf-16be", bytes);
  return text !== null && ofOneScript(text.slice(0, SAMPLE / 2)) ? { encoding: "UTF-16", text } : null;
}

export function guessed(bytes) {
  const part = bytes.subarray(0, SAMPLE);
  const alone = western(part);
  const high = part.reduce((n, byte) => n + (byte > 127), 0);
  const found = high < SHORT ? [...latin(part), ...scripts(part)] : alone ? latin(part) : scripts(part);
  found.sort((one, other) => other.score - one.score);
  const [best] = found;
  // Where é is the only letter beyond ASCII, two rare rivals (ť, ķ) are none: it is Windows's by
  // far.
  const accent = best !== undefined && /^[\p{ASCII}é]*$/u.test(best.text);
  const next = found.find(({ label, text }) => text !== best.text && !(accent && /^(x-mac-ce|ibm775)$/.test(label)));
  const near = next && comesNear(next.score, best.score, high, alone);
  const text = best?.score >= 1 && !near ? strictly(best.label, bytes) : null;
  if (text !== null) return { encoding: best.name, text };
  return {
    perhaps: found
      .filter(({ score }) => score > 0.5)
      .slice(0, 2)
      .map(({ name }) => name),
  };
}

// Whether a reading of score `next` makes the best one uncertain.
function comesNear(next, best, high, alone) {
  if (high < BRIEF) return next >= 0.6 * Math.min(best, MOST);
  if (high < SHORT) return next >= (alone ? 0.98 * best : 0.7 * Math.min(best, MOST));
  return next * (alone ? 1 : MARGIN) > best;
}

export function implausible(text) {
  const part = text.slice(0, SAMPLE),
    zero = text.indexOf("\0");
  if (zero >= 0) return `character ${zero.toLocaleString("en")} is zero`;
  const strange = count(part, /(?!\s)[\p{Cn}\p{Co}\p{Cs}\p{Cc}\ufffd]/gu);
  return strange > 0.02 * part.length ? "more than 2 % of its characters are none that a text has" : null;
}

const count = (text, pattern) => text.match(pattern)?.length ?? 0;

function strictly(label, bytes, stream = false) {
  const page = decoded(label, bytes);
  if (page !== null) return page;
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes, { stream });
  } catch {
    return null;
  }
}

function utf32(bytes, little) {
  if (bytes.length % 4) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    parts = [];
  let codes = [];
  for (let i = 0; i < bytes.length; i += 4) {
    const code = view.getUint32(i, little);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return null;
    codes.push(code);
    if (codes.length === 8192) {
      parts.push(String.fromCodePoint(...codes));
      codes = [];
    }
  }
  return parts.join("") + String.fromCodePoint(...codes);
}

// Whether the bytes above 127 stand mostly alone among ASCII letters.
function western(bytes) {
  let high = 0,
    runs = 0,
    letters = 0;
  for (let i = 0; i < bytes.length; i++) {
    letters += (bytes[i] | 32) >= 97 && (bytes[i] | 32) <= 122;
    if (bytes[i] < 128) continue;
    high++;
    runs += i === 0 || bytes[i - 1] < 128;
  }
  const mean = high / (runs || 1);
  return mean < RUN || (mean < 2 * RUN && high < letters);
}

function scripts(part) {
  const found = [];
  for (const [label, name, own, common, least] of SCRIPTS) {
    const text = strictly(label, part, true);
    if (text === null) continue;
    const beyond = count(text, /\P{ASCII}/gu);
    const letters = count(text, /(?!\p{ASCII})[\p{L}\p{M}]/gu);
    const narrow = count(text, /(?!\p{ASCII})[\uff61-\uff9f\p{Cc}\p{Co}]/gu);
    const ours = count(text, new RegExp(`(?!\\p{ASCII})[${own}\\p{M}]`, "gu"));
    if (!letters || ours < 0.8 * letters || letters < 0.5 * beyond || narrow > 0.05 * beyond) continue;
    const share = count(text.toLowerCase(), new RegExp(`[${common}]`, "gu")) / letters;
    const small = count(text, /(?!\p{ASCII})\p{Ll}/gu) >= count(text, /(?!\p{ASCII})\p{Lu}/gu) ? 1 : 0.8;
    // a capital or a sign within a word: the letter beside it is another one
    const odd =
      count(
        text,
        /(?!\p{ASCII})\p{Ll}(?!\p{ASCII})[\p{Lu}\p{S}\p{N}]|ς(?!\p{ASCII})\p{L}|[\p{Lu}]{2}(?!\p{ASCII})\p{Ll}|\p{S}(?!\p{ASCII})\p{L}|[ΆΈΉΊΌΎΏάέήίόύώ]\p{sc=Greek}{0,20}[άέήίόύώ]/gu,
      ) + count(text, LONE);
    const signs = count(text, /(?!\p{ASCII})\p{P}/gu);
    const eastern = EASTERN.test(own);
    const most = letters < (eastern ? 8 : 12) ? 0.99 : 9; // so few letters are no evidence, but a rival
    if (!eastern && new RegExp(`\\p{sc=Latin}(?!\\p{ASCII})${own}|(?!\\p{ASCII})${own}\\p{sc=Latin}`, "u").test(text))
      continue;
    if (eastern && !own.includes("Hangul"))
      if (count(text, /[a-z](?=[\p{sc=Han}\p{sc=Kana}])|\p{sc=Han}(?=[a-z])/giu) > 0.3 * letters) continue;
    const pure = (ours / (beyond - signs)) ** 3 * Math.max(0, 1 - (20 * odd) / letters);
    found.push({ label, name, text, score: Math.min((share / least) * small * pure, most) });
  }
  return found;
}

function latin(part) {
  const found = [];
  for (const [label, name, languages] of LATIN) {
    const text = strictly(label, part, true);
    if (text === null) continue;
    const beyond = count(text, /\P{ASCII}/gu);
    const misplaced = Math.max(0, 1 - (5 * count(text, MISPLACED)) / beyond);
    const english = count(text, CONTRACTION) ? 1.5 : 1;
    const shown =
      english > 1 || count(text, /[a-z](?!\p{ASCII})\p{L}|(?!\p{ASCII})\p{L}[a-z]/giu) || beyond > 8 ? 1 : 0.7;
    const covered = languages
      .split(" ")
      .map((own) => count(text.toLowerCase(), new RegExp(`[${own}${SIGNS}]`, "gu")) / beyond);
    const western = label === "windows-1252" && count(text, new RegExp(`[${languages}${SIGNS}]`, "giu")) / beyond;
    const best = Math.max(...covered) ** (beyond < BRIEF ? 4 : 1); // one letter that it lacks counts in a brief text
    // several Western languages in one text
    const score = Math.max(best, beyond > BRIEF && western > 0.995 && best > 0.6 ? CERTAIN : 0) / CERTAIN;
    found.push({ label, name, text, score: score * misplaced * english * shown });
  }
  return found;
}

// Whether a text is written in one script beside signs and ASCII: what bytes of another kind make
// of UTF-16 is of all kinds.
function ofOneScript(text) {
  const letters = count(text, /\p{L}/gu),
    most = ["Latin", "Cyrillic", "Greek", "Hebrew", "Arabic", "Hangul", "Thai", "Devanagari"];
  const best = Math.max(...most.map((script) => count(text, new RegExp(`\\p{sc=${script}}`, "gu"))));
  const east = count(text, /[\p{sc=Hiragana}\p{sc=Katakana}]/gu) > 0.2 * letters;
  const chinese = count(text, new RegExp(`[${SIMPLIFIED}${TRADITIONAL}]`, "gu")) > 0.3 * letters;
  return letters > 0 && (best > 0.9 * letters || east || chinese);
}
