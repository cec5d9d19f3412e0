"""The module under the name that the vendor's guide gives it.

The guide's samples import `alibabacloud_tea_OpenAPI`; the package that pip installs is `alibabacloud_tea_openapi`.
Somebody who copies a sample has to change that name, or put this file beside it.
"""

from alibabacloud_tea_openapi import models

__all__ = ["models"]
