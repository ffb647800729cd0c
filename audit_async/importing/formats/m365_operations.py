"""What operations of Microsoft 365 and Entra ID are called here.

The name is written as in the records, without the dot at its end. A canonical action stands where there is one; the
others are free-form ones of the family that they belong to.

Source: "Microsoft Entra audit activity reference" and "Audit log activities" of Microsoft Purview.
"""

from __future__ import annotations

from audit_async.events import Outcome

LOG_INS = {
    "userloggedin": Outcome.SUCCESS,
    "userloginfailed": Outcome.FAILURE,
}
"""Operations that are a log-in at the provider, and how it went."""

_TABLE = """
Add member to role                                         role.assign
Add eligible member to role                                role.assign
Add scoped member to role                                  role.assign
Add-RoleGroupMember                                        role.assign
Remove member from role                                    role.revoke
Remove eligible member from role                           role.revoke
Remove scoped member from role                             role.revoke
Remove-RoleGroupMember                                     role.revoke
Add role definition                                        role.create
Update role definition                                     role.update
Update role                                                role.update
Delete role definition                                     role.delete

Add user                                                   user.create
Restore user                                               user.create
Invite external user                                       user.create
Redeem external user invite                                identity.bind
Update user                                                user.update
Set user manager                                           user.update
Change user license                                        user.update
Set license properties                                     user.update
Delete user                                                user.delete
Hard Delete user                                           user.delete
Enable account                                             user.activate
Disable account                                            user.deactivate
Change user password                                       auth.password_change
Change password (self-service)                             auth.password_change
Set force change user password                             auth.password_reset
Reset user password                                        auth.password_reset
Reset password (self-service)                              auth.password_reset
Reset password (by admin)                                  auth.password_reset
UserLoggedOff                                              auth.logout
UserSignedOut                                              auth.logout
Update StsRefreshTokenValidFrom Timestamp                  session.revoke
Enable Strong Authentication                               mfa.bind
User registered security info                              mfa.bind
Disable Strong Authentication                              mfa.reset
User deleted security info                                 mfa.reset
Admin deleted security info                                mfa.reset

Add app role assignment to service principal               permission.grant
Add app role assignment grant to user                      permission.grant
Add app role assignment to group                           permission.grant
Add delegated permission grant                             permission.grant
Add OAuth2PermissionGrant                                  permission.grant
Add-MailboxPermission                                      permission.grant
Add-RecipientPermission                                    permission.grant
Consent to application                                     permission.consent
Remove app role assignment from service principal          permission.revoke
Remove app role assignment from user                       permission.revoke
Remove app role assignment from group                      permission.revoke
Remove delegated permission grant                          permission.revoke
Remove OAuth2PermissionGrant                               permission.revoke
Remove-MailboxPermission                                   permission.revoke
Remove-RecipientPermission                                 permission.revoke

Create company                                             tenant.create
Set Company Information                                    tenant.update
Set company contact information                            tenant.update
Set directory feature on tenant                            tenant.set_feature
Set Company Feature                                        tenant.set_feature
Set DirSyncEnabled flag                                    config.change
Set password policy                                        config.change
Set domain authentication                                  sso.config_change
Set federation settings on domain                          sso.config_change
Add domain to company                                      domain.create
Verify domain                                              domain.verify
Update domain                                              domain.update
Remove domain from company                                 domain.delete
Add partner to company                                     partner.create
Remove partner from company                                partner.delete

Add group                                                  group.create
Update group                                               group.update
Delete group                                               group.delete
Hard Delete group                                          group.delete
Restore Group                                              group.restore
Add member to group                                        group.member_add
Remove member from group                                   group.member_remove
Add owner to group                                         group.owner_add
Remove owner from group                                    group.owner_remove

Add application                                            application.create
Update application                                         application.update
Update application – Certificates and secrets management   application.secrets_update
Delete application                                         application.delete
Hard Delete application                                    application.purge
Restore application                                        application.restore
Add owner to application                                   application.owner_add
Remove owner from application                              application.owner_remove
Add service principal                                      service_principal.create
Add service principal credentials                          service_principal.secrets_update
Remove service principal credentials                       service_principal.secrets_update
Update service principal                                   service_principal.update
Remove service principal                                   service_principal.delete
Add owner to service principal                             service_principal.owner_add
Remove owner from service principal                        service_principal.owner_remove

Add policy                                                 policy.create
Update policy                                              policy.update
Delete policy                                              policy.delete
Add conditional access policy                              policy.create
Update conditional access policy                           policy.update
Delete conditional access policy                           policy.delete
Add device                                                 device.create
Update device                                              device.update
Delete device                                              device.delete
Add registered owner to device                             device.owner_add
Remove registered owner from device                        device.owner_remove
Add registered users to device                             device.user_add
Remove registered users from device                        device.user_remove

FileUploaded                                               data.create
FileAccessed                                               data.read
FilePreviewed                                              data.read
MailItemsAccessed                                          data.read
FileModified                                               data.update
FileDeleted                                                data.delete
FileRecycled                                               data.delete
FileDownloaded                                             data.export
SearchExportDownloaded                                     data.export
New-InboxRule                                              mailbox.rule_create
Set-InboxRule                                              mailbox.rule_update
Remove-InboxRule                                           mailbox.rule_delete
Set-Mailbox                                                mailbox.update
Set-AdminAuditLogConfig                                    config.change
"""


def _read(line: str) -> tuple[str, str]:
    operation, _, action = line.strip().rpartition(" ")
    return operation.strip(), action


OPERATIONS: dict[str, str] = dict(_read(line) for line in _TABLE.splitlines() if line.strip())
"""Every operation that is known, and its action."""

_BY_KEY = {name.casefold(): action for name, action in OPERATIONS.items()}


def key_of(operation: str) -> str:
    """Return what *operation* is looked up by: the dot at its end, blanks and capitals do not tell two apart."""
    return operation.strip().removesuffix(".").strip().casefold()


def action_of(operation: str) -> str | None:
    """Return the action of *operation*; None for one that is not known."""
    return _BY_KEY.get(key_of(operation))
