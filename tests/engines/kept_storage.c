// Loaded into WebKitGTK's MiniBrowser: a session under automation keeps nothing, and WebKit refuses
// the private file system to such a session. This makes it a session with folders.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#define DATA getenv("TINYGPT_WEBKIT_DATA")
#define CACHE getenv("TINYGPT_WEBKIT_CACHE")

void* webkit_network_session_new_ephemeral(void) {
  void* (*make)(const char*, const char*) = dlsym(RTLD_NEXT, "webkit_network_session_new");
  return make(DATA, CACHE);
}

void* webkit_website_data_manager_new_ephemeral(void) {
  void* (*make)(const char*, ...) = dlsym(RTLD_NEXT, "webkit_website_data_manager_new");
  return make("base-data-directory", DATA, "base-cache-directory", CACHE, (void*)0);
}
