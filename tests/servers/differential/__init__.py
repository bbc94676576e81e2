"""The same questions to a service and to the proxy in front of it: answers must not differ.

Seeded sequences of operations are carried out at a real service. After each step has settled, the
service and the proxy are asked the same. Where the service does not page, pages are compared with
a model of what docs/protocol.md promises.

* operations, generating: what is done to a node, and sequences of it out of a seed;
* announcing: after which of them no answer may be old, since subscribers were told;
* questions, asking: what is asked, and how it is put to one entity;
* answers: answers as values, and where two of them differ;
* paging_model, deviations: what the proxy answers where it does not answer as the service;
* hits: who answered, service or cache, so that the cache is really what is looked at;
* running: one sequence from its first step to its last;
* shrinking: the shortest sequence that still fails.
"""
