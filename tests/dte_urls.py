"""The routes of validation alone, with the admin: tests of dte/ need no other part of the service."""

from django.contrib import admin
from django.urls import path

from dte.urls import urlpatterns as dte_urls

urlpatterns = [path("admin/", admin.site.urls), *dte_urls]
