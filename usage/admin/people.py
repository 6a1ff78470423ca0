"""Who may enter the admin: Django's own users and groups, in the theme's forms."""

from axes import admin as axes
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, Permission, User
from django.db.models import ManyToManyField
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from usage.admin.base import moment

admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.unregister([AccessAttempt, AccessLog, AccessFailureLog])


_MAY = {"add": "crear", "change": "modificar", "delete": "eliminar", "view": "ver"}


class PermissionField(ModelMultipleChoiceField):
    """Permissions in words; Django keeps their English names in the database."""

    def label_from_instance(self, permission: Permission) -> str:
        """Name what is permitted, and on what."""
        verb, _, _ = permission.codename.partition("_")
        return f"{permission.content_type.name}: {_MAY.get(verb, permission.name)}"


class WithPermissions(ModelAdmin):
    filter_horizontal = ()

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest | None, **kwargs: object
    ) -> object:
        if db_field.remote_field.model is Permission:
            kwargs["form_class"] = PermissionField
            kwargs["queryset"] = Permission.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(User)
class UserAdmin(WithPermissions, auth.UserAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_staff", "entered"]
    list_filter = ["is_staff", "is_superuser", "is_active", "groups"]

    @admin.display(description="último ingreso", ordering="last_login")
    def entered(self, user: User) -> str:
        return moment(user.last_login)


@admin.register(Group)
class GroupAdmin(WithPermissions, auth.GroupAdmin):
    pass


@admin.register(AccessAttempt)
class AccessAttemptAdmin(axes.AccessAttemptAdmin, ModelAdmin):
    """Wrong passwords and the addresses they came from; deleting a row lets its address in again."""

    list_display_links = None  # the row says it all


@admin.register(AccessLog)
class AccessLogAdmin(axes.AccessLogAdmin, ModelAdmin):
    list_display_links = None


@admin.register(AccessFailureLog)
class AccessFailureLogAdmin(axes.AccessFailureLogAdmin, ModelAdmin):
    list_display_links = None
