// One thread of the pool of the build with 64-bit addresses. That build is loaded after code of the
// user has run, and a thread's realm is as confined as the one that starts it.

import "../../public/ext/tinygpt-relaxed64-mt.mjs";
import { confine } from "./confine.js";

confine(); // before the first message
