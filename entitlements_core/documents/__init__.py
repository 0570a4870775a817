"""The JSON documents of the product: what ``--json`` prints, and what an API answers.

Pure: a value of the policy, a service or the engine comes in, and a dict that `json` can write
comes out. The keys are a public contract: scripts read them, so one may be added and none renamed,
moved or left out. Where Cloudsmith's API has the same thing, its name is used.
"""
