/*
 * Registries of the kernel that libraries announce themselves to when they are loaded.
 * Registering is accepted and recorded nowhere: nobody in the domain looks algorithms up
 * by name, and the functions that the module exports work without it. Registries whose
 * answer a module depends on (devices, file systems, notifiers) are not here, so that a
 * module that needs them ends with their name.
 */
#include "kernel.h"

#define ACCEPT(name)                                                                       \
	int name(void);                                                                    \
	int name(void)                                                                     \
	{                                                                                  \
		return 0;                                                                  \
	}
#define REGISTRY(kind) ACCEPT(crypto_register_##kind) ACCEPT(crypto_unregister_##kind)

REGISTRY(alg)
REGISTRY(algs)
REGISTRY(shash)
REGISTRY(shashes)
REGISTRY(ahash)
REGISTRY(ahashes)
REGISTRY(skcipher)
REGISTRY(skciphers)
REGISTRY(aead)
REGISTRY(aeads)
REGISTRY(rng)
REGISTRY(rngs)
REGISTRY(kpp)
REGISTRY(akcipher)
REGISTRY(acomp)
REGISTRY(acomps)
REGISTRY(scomp)
REGISTRY(scomps)
REGISTRY(template)
REGISTRY(templates)
REGISTRY(notifier)

/* Character tables of file systems, and search algorithms of packet filters. */
ACCEPT(__register_nls)
ACCEPT(unregister_nls)
ACCEPT(textsearch_register)
ACCEPT(textsearch_unregister)
