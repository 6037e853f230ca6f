// What a tab may take on this class of device, and when its battery is low. A desktop browser lends
// a tab what the machine has. A phone or tablet ends a tab that takes too much, without a word to
// the page.

const GIB = 2 ** 30;
const SHARE = 0.25; // of the memory that Android's browsers report: the system and other apps have the rest
const UNSAID = GIB; // iOS and Firefox report nothing; iOS ends a tab near 1 to 1.5 GB
const PAGE = 225e6; // beside a model: 167 MB when it is ready, 224 MB after runs (Chromium's renderer, PSS)

// A phone or a tablet: a finger is what points, also on an iPad that calls itself a Mac.
export const handheld = () => matchMedia("(pointer: coarse)").matches;

const LOW = 0.2; // of a battery

// Whether a battery (navigator.getBattery) runs down and has little left.
export const batteryIsLow = ({ charging, level }) => !charging && level <= LOW;

// Bytes that a run may take in this tab, or null where the class of device sets no limit.
export function tabBudget() {
  if (!handheld()) return null;
  const tab = navigator.deviceMemory ? navigator.deviceMemory * GIB * SHARE : UNSAID;
  return Math.round(tab - PAGE);
}
