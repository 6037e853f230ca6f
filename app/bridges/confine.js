// @ts-check
// Takes from a realm what code of the user must not reach: the storage that all pages of the origin
// share, and the ways to another realm, where everything would be there again.
//
// The names go from globalThis, from `navigator` and from their prototypes. So does the way back
// from an object to its class (`constructor`): an instance that patched built-ins catch gives no
// second one. What a part of the page still needs, its module has taken before, in a constant that
// it does not export. Modules can be imported again by code of the user: an export would give it
// back. SECURITY.md says what is left.

// Shared by the pages of the origin. The service worker's cache holds the page's own program.
const STORAGE = [
  "caches",
  "indexedDB",
  "BroadcastChannel",
  "localStorage",
  "sessionStorage",
  "cookieStore",
  "sharedStorage",
  "webkitRequestFileSystem",
  "webkitRequestFileSystemSync",
  "webkitResolveLocalFileSystemURL",
  "webkitResolveLocalFileSystemSyncURL",
];
// Other realms, and messages of the browser itself.
const REALMS = ["Worker", "SharedWorker", "ShadowRealm", "importScripts", "Notification"];
// Their classes.
const CLASSES = [
  "Cache",
  "CacheStorage",
  "IDBFactory",
  "IDBDatabase",
  "StorageManager",
  "StorageBucket",
  "StorageBucketManager",
  "Lock",
  "LockManager",
  "CookieStore",
  "ServiceWorker",
  "ServiceWorkerContainer",
  "ServiceWorkerRegistration",
  "FileSystemObserver",
  "FileSystemHandle",
  "FileSystemFileHandle",
  "FileSystemDirectoryHandle",
  "FileSystemSyncAccessHandle",
  "FileSystemWritableFileStream",
];
const OF_NAVIGATOR = [
  "storage",
  "storageBuckets",
  "serviceWorker",
  "locks",
  "webkitTemporaryStorage",
  "webkitPersistentStorage",
];

// Never to be called in the page itself, which needs all of it.
export function confine() {
  const { navigator } = globalThis;
  for (const name of [...STORAGE, ...REALMS, ...CLASSES]) remove(globalThis, name);
  for (const name of OF_NAVIGATOR) remove(navigator, name);
}

/**
 * @param {object} object
 * @param {string} name
 */
function remove(object, name) {
  const found = valueAt(object, name);
  if (typeof found === "function" && found.prototype) delete found.prototype.constructor;
  else if (found && typeof found === "object") delete Object.getPrototypeOf(found).constructor;
  for (let at = object; at; at = Object.getPrototypeOf(at)) Reflect.deleteProperty(at, name);
  // an engine that lets nobody delete it gives undefined at least, or the worker does not start
  if (name in object) Object.defineProperty(object, name, { value: undefined, writable: false, configurable: false });
}

/**
 * @param {any} object
 * @param {string} name
 */
function valueAt(object, name) {
  try {
    return object[name];
  } catch {} // an origin to which the browser gives no storage
}
