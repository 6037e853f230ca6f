// A libvk_swiftshader.so for Chromium that forwards to Mesa's lavapipe (DRIVER, a path, given at
// compile time).
//
// Of the software Vulkan drivers Chromium's WebGPU accepts SwiftShader only, which it recognizes by
// vendor and device id. The shim forwards every call to lavapipe, and puts SwiftShader's ids into
// the answers to queries of a device's properties. The structures are declared up to the ids, after
// the Vulkan specification: so no Vulkan headers are needed.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))

enum { GOOGLE = 0x1AE0, SWIFTSHADER = 0xC0DE, INTERFACE = 5 };

typedef void (*Function)(void);
typedef Function (*GetInstanceFunction)(void* instance, const char* name);
// VkPhysicalDeviceProperties and VkPhysicalDeviceProperties2.
typedef struct { uint32_t api, driver, vendor, device; } Properties;
typedef struct {
  uint32_t type;
  void* next;
  Properties properties;
} ExtendedProperties;

static void (*plain)(void* device, Properties*);
static void (*extended)(void* device, ExtendedProperties*);

static void as_swiftshader(Properties* p) {
  p->vendor = GOOGLE;
  p->device = SWIFTSHADER;
}

static void plain_properties(void* device, Properties* out) {
  plain(device, out);
  as_swiftshader(out);
}

static void extended_properties(void* device, ExtendedProperties* out) {
  extended(device, out);
  as_swiftshader(&out->properties);
}

static GetInstanceFunction lavapipe(void) {
  static GetInstanceFunction found;
  if (found) return found;
  void* library = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "lavapipe_shim: %s\n", dlerror());
    return 0;
  }
  int32_t (*negotiate)(uint32_t*) = (int32_t (*)(uint32_t*))dlsym(library, "vk_icdNegotiateLoaderICDInterfaceVersion");
  uint32_t version = INTERFACE;
  if (negotiate) negotiate(&version);
  return found = (GetInstanceFunction)dlsym(library, "vk_icdGetInstanceProcAddr");
}

PUBLIC Function vkGetInstanceProcAddr(void* instance, const char* name) {
  GetInstanceFunction driver = lavapipe();
  if (!driver) return 0;
  if (!strcmp(name, "vkGetInstanceProcAddr")) return (Function)vkGetInstanceProcAddr;
  Function function = driver(instance, name);
  if (!function) return 0;
  if (!strcmp(name, "vkGetPhysicalDeviceProperties")) {
    plain = (void (*)(void*, Properties*))function;
    return (Function)plain_properties;
  }
  if (!strcmp(name, "vkGetPhysicalDeviceProperties2") || !strcmp(name, "vkGetPhysicalDeviceProperties2KHR")) {
    extended = (void (*)(void*, ExtendedProperties*))function;
    return (Function)extended_properties;
  }
  return function;
}

PUBLIC Function vk_icdGetInstanceProcAddr(void* instance, const char* name) {
  return vkGetInstanceProcAddr(instance, name);
}
