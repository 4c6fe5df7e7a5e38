"""Writes what is secret in the answers of operations that only read: `make read-operations`.

In lambdas/pageturner/crawls/secret_fields.txt, a line for each operation whose answer has secrets, with the paths to
them. The table here says what is secret, by the shapes of botocore's models: values that let whoever reads them sign in
or decrypt something, or that people put such values into. What is personal, or only for few, is not among it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pageturner.crawls.read_only import refusal
from pageturner.crawls.secret_fields import HASHED
from pageturner.paging import api
from pageturner.paging.expression_shapes import FindsNothingError, shape_found

SECRET_FIELDS = Path(__file__).parent.parent / "lambdas" / "pageturner" / "crawls" / "secret_fields.txt"

# Defaults → services, or "*" for all of them → members of their shapes, with * and ? in both names. What is behind the
# member is JMESPath on its value; what is in brackets before the dot is a condition on the structure. A member that
# is the key of its items, marked, is hashed, so that it still tells them apart.
SECRET: Mapping[str, Mapping[str, str]] = {
    "environment": {
        "amplify": "*.environmentVariables",
        "apprunner": "*.RuntimeEnvironmentVariables",
        "appsync": "*.environmentVariables",
        "batch": "*.environment[].value *.env[].value",
        "bedrock-agentcore-control": "*.environmentVariables",
        "cleanroomsml": "*.environment",
        "codebuild": "*.environmentVariables[].value *.exportedEnvironmentVariables[].value",
        "codepipeline": "*.environmentVariables[].value",
        "devicefarm": "*.environmentVariables[].value",
        "ecs": "*.environment[].value",
        "elasticbeanstalk": (
            "*.OptionSettings[?Namespace=='aws:elasticbeanstalk:application:environment'||OptionName=='DBPassword']"
            ".Value"
        ),
        "emr": "*.EnvironmentVariables",
        "gameliftstreams": "*.AdditionalEnvironmentVariables",
        "greengrass": "FunctionConfigurationEnvironment.Variables",
        "iotsitewise": "*.environmentVariables *.executionEnvironmentVariables *.requestEnvironmentVariables",
        "kafkaconnect": "*.*onnectorConfiguration *.propertiesFileContent",
        "lambda": "EnvironmentResponse.Variables",
        "lambda-microvms": "*.environmentVariables",
        "lambda-web": "*.environmentVariables",
        "lightsail": "Container.environment",
        "mwaa": "*.AirflowConfigurationOptions",
        "mwaa-serverless": "*Environment*.Variables",
        "pipes": "*Override*.Environment[].value *Override*.Environment[].Value",
        "sagemaker": (
            "*.Environment *.EnvironmentVariables *.ContainerEnvironmentVariables *.OptimizationEnvironment "
            "*.OverrideEnvironment *.EnvironmentParameters[].Value"
        ),
        "securityagent": "VerificationScript.envVars[].value",
        "securityhub": (
            "AwsCodeBuildProjectEnvironment.EnvironmentVariables[].Value "
            "AwsEcsTaskDefinitionContainerDefinitionsDetails.Environment[].Value "
            "AwsLambdaFunctionEnvironment.Variables"
        ),
    },
    "secure-strings": {
        "ssm": "Parameter[?Type=='SecureString'].Value ParameterHistory[?Type=='SecureString'].Value",
    },
    "secret-values": {"secretsmanager": "*.SecretString *.SecretBinary *.RandomPassword"},
    "user-data": {
        "autoscaling": "LaunchConfiguration.UserData",
        "ec2": "*.UserData",
        "imagebuilder": "*.userDataOverride",
        "securityhub": "*.UserData",
    },
    "api-keys": {
        "apigateway": "ApiKey.value UsagePlanKey.value",
        "appsync": f"{HASHED}ApiKey.id",
        "bedrock-agentcore": "*.apiKey",
        "dataexchange": "*.ApiKey",
        "location": "DescribeKeyResponse.Key",
        "wafv2": f"{HASHED}APIKeySummary.APIKey",
    },
    "passwords": {
        "*": "*.Password *.password *.*MasterUserPassword *.masterUserPassword",
        "amplify": "*.basicAuthCredentials",
        "appstream": "*.AccountPassword",
        "cloudhsmv2": "*.PreCoPassword",
        "datapipeline": "Field[?contains(not_null(key,''),'assword')].stringValue",
        "directconnect": "*.authKey *.customerRouterConfig",
        "dms": "*Settings.*Password",
        "ds": "RadiusSettings.SharedSecret",
        "ec2": (
            "TunnelOption.PreSharedKey VpnConnection.CustomerGatewayConfiguration GetPasswordDataResult.PasswordData "
            "*.VpnConnectionDeviceSampleConfiguration"
        ),
        "emr": "KerberosAttributes.*Password",
        "fsx": "*.FsxAdminPassword",
        "gamelift": "InstanceCredentials.Secret",
        "glue": "Connection.ConnectionProperties.PASSWORD",
        "invoicing": "*.ProcurementPortalSharedSecret",
        "ivs": "Srt.passphrase",
        "lexv2-models": "EncryptionSetting.*Password",
        "securityhub": "*.PreSharedKey *.CustomerGatewayConfiguration",
        "storagegateway": "ChapInfo.SecretToAuthenticate*",
    },
    "client-secrets": {
        "amplifybackend": "*.ClientSecret *AppleProviderConfig.PrivateKey",
        "cognito-idp": "*.ClientSecret *.ClientSecretValue IdentityProviderType.ProviderDetails.client_secret",
        "datazone": "*.userManagedClientApplicationClientSecret",
        "ec2": "*.ClientSecret",
        "elbv2": "*.ClientSecret",
        "wickr": "*.clientSecret OidcConfigInfo.secret",
    },
    "tokens": {
        "*": (
            "*.SecretAccessKey *.secretAccessKey *Credentials*.SessionToken *Credentials*.sessionToken *.JoinToken "
            "*.authorizationToken *.oauthToken *.bearerToken *.jwtToken"
        ),
        "acm": "*.MacKey ExportCertificateResponse.PrivateKey",
        "amplifybackend": "GetTokenResponse.ChallengeCode",
        "bedrock-agentcore": "*.accessToken *.walletAuthToken *.basicAuthToken *.authorizationSignature",
        "chime": "Bot.SecurityToken",
        "chime-sdk-identity": "EndpointAttributes.*DeviceToken",
        "codebuild": "Webhook.secret",
        "codepipeline": "WebhookAuthConfiguration.SecretToken",
        "cognito-identity": "Credentials.SecretKey GetOpenIdTokenResponse.Token",
        "connect": "Credentials.AccessToken Credentials.RefreshToken",
        "datazone": (
            "GlueOAuth2Credentials.*Token *.authorizationCode ManagedEndpointCredentials.token "
            "GetEnvironmentCredentialsOutput.sessionToken"
        ),
        "devops-agent": "*.customHeaders",
        "ec2": "*.UploadPolicySignature",
        "eks": "License.token ConnectorConfigResponse.activationCode",
        "emr-serverless": "*.authToken",
        "events": "Connection*Parameter.Value",
        "evs": "GetDepotUrlResponse.token LicenseInfo.solutionKey LicenseInfo.vsanKey",
        "firehose": "*.HECToken HttpEndpointCommonAttribute.AttributeValue",
        "gamelift": "*.SessionToken *.AuthToken *.PlayerGatewayToken",
        "glue": "*.AuthToken",
        "grafana": "*.grafanaToken",
        "iam": "*.Base32StringSeed *.QRCodePNG",
        "interconnect": "*.activationKey",
        "iot": "SalesforceAction.token",
        "iot-managed-integrations": "*.AuthenticationMaterial *.DeviceSpecificKey *.ClaimCertificate",
        "iotwireless": "Otaa*.*Key SessionKeys*.*Key",
        "ivs": "StreamKey.value",
        "ivs-realtime": "*.streamKey",
        "lakeformation": "*.SessionToken *.WorkUnitToken",
        "license-manager": "*.AccessToken",
        "managedblockchain": "*.BillingToken",
        "marketplace-agreement": "*.registrationToken",
        "medialive": "StaticKeySettings.StaticKeyValue HlsAkamaiSettings.Token",
        "redshift": "GetIdentityCenterAuthTokenResponse.Token",
        "redshift-serverless": "GetIdentityCenterAuthTokenResponse.token",
        "sagemaker": "*.CallbackToken",
        "taxsettings": "*.taxDocumentAccessToken",
        "wickr": "OidcTokenInfo.accessToken OidcTokenInfo.idToken OidcTokenInfo.refreshToken *.codeVerifier",
        "workspaces-thin-client": "*.activationCode",
    },
    "custom-headers": {
        "bedrock-agentcore-control": "*.headers",
        "cloudfront": "OriginCustomHeader.HeaderValue",
        "pipes": "*.HeaderParameters *.QueryStringParameters",
        "events": "HttpParameters.HeaderParameters HttpParameters.QueryStringParameters",
    },
    # Anybody who has such a URL may get or put what is there.
    "signed-urls": {
        "*": "*.*resignedUrl *.*reSignedUrl *.*resignedLogUrl *.*reSignedLogUrl *.SignedUrl *.signedBiUrl *.EmbedUrl",
        "auditmanager": "*.uploadUrl",
        "bedrock-agentcore-control": "*.downloadUrl",
        "chime-sdk-media-pipelines": "LiveConnectorRTMPConfiguration.Url",
        "dataexchange": "*.ApiSpecificationDownloadUrl *.ApiSpecificationUploadUrl",
        "devicefarm": "Upload.url *Artifact.url *.interactiveEndpoint *.remoteDriverEndpoint",
        "ecr": "*.downloadUrl",
        "endusermessaging": "*.mediaDownloadUrl",
        "gameliftstreams": "*.StreamUrl",
        "glue": "GetDashboardUrlResponse.Url",
        "iotdeviceadvisor": "*.qualificationReportDownloadUrl",
        "lambda": "FunctionCodeLocation.Location LayerVersionContentOutput.Location",
        "lexv2-models": "*.downloadUrl *.downloadArtifactsUrl",
        "mturk": "*.FileUploadURL",
        "notifications": "*.attachmentDownloadUrl",
        "quicksight": "*.DownloadUrl",
        "socialmessaging": "*.downloadUrl",
        "ssm": "*.SnapshotDownloadUrl",
        "transcribe": "*.DownloadUri",
    },
}
_ENTRY = re.compile(
    rf"(?P<hashed>{HASHED})?(?P<shape>[\w*]+)(\[\?(?P<condition>.+?)\])?\.(?P<member>[\w*]+)(?P<behind>.*)"
)
# Structures with secrets that are within themselves, once: an administrative action has the values of its target.
_WITHIN_THEMSELVES = ("AdministrativeAction", "FileSystem", "Snapshot", "Volume")
# What can hold a secret.
_KINDS = ("string", "blob", "list", "map", "structure")


@dataclass(frozen=True)
class Secret:
    """An element of the table, as `_ENTRY` takes it apart."""

    default: str
    shape: str
    member: str
    behind: str
    condition: str
    hashed: str

    def path(self, way: str, member: str) -> str:
        """Return JMESPath on an answer: the `member` of the structure that is found by `way`."""
        if self.condition:
            list_of = way.removesuffix("[]") if way.endswith("[]") else f"[{way or '@'}]"
            way = f"{list_of}[?{self.condition}]"
        return f"{self.hashed}{way}{'.' if way else ''}{_quoted(member)}{self.behind}"


def lines() -> str:
    """Return the file."""
    written = []
    for service in api.service_names():
        for operation in sorted(api.operation_names(service)):
            if refusal(service, operation) is None and (found := secret_fields(service, operation)):
                texts = [f"{name}={path}" for name, paths in sorted(found.items()) for path in sorted(paths)]
                written.append(" ".join([service, operation, *texts]) + "\n")
    return "".join(written)


def secret_fields(service: str, operation: str) -> dict[str, set[str]]:
    """Return the paths to what is secret in the answer of an operation, by the name of the default."""
    found: dict[str, set[str]] = {}
    output = api.operation_model(service, operation).output_shape
    for name, path in _paths(output, "", secrets_of(service), ()) if output is not None else ():
        found.setdefault(name, set()).add(path)
    return found


@cache
def secrets_of(service: str) -> tuple[Secret, ...]:
    """Return the elements of the table that are about a service."""
    return tuple(
        Secret(default, *(match[each] or "" for each in ("shape", "member", "behind", "condition", "hashed")))
        for default, services in SECRET.items()
        for of in ("*", service)
        for text in services.get(of, "").split()
        if (match := _ENTRY.fullmatch(text)) is not None
    )


def secret_at(secrets: tuple[Secret, ...], structure: Any, member: str) -> Secret | None:
    """Return what says that a member of a structure has a secret, or None."""
    if structure.members[member].type_name not in _KINDS:
        return None
    return next(
        (
            each
            for each in secrets
            if fnmatchcase(member, each.member)
            and fnmatchcase(structure.name, each.shape)
            and _has(structure, member, each)
        ),
        None,
    )


def _has(structure: Any, member: str, secret: Secret) -> bool:
    """Whether what is behind the member is there."""
    try:
        shape_found(f"{_quoted(member)}{secret.behind}", structure)
    except FindsNothingError:
        return False
    return True


def _paths(shape: Any, way: str, secrets: tuple[Secret, ...], above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if shape.type_name == "list":
        yield from _paths(shape.member, f"{way}[]", secrets, above)
    elif shape.type_name == "map":
        # Behind `.*` alone, jmespath looks for one name only.
        yield from _paths(shape.value, f"{way}.*[]", secrets, above)
    elif shape.type_name == "structure" and above.count(shape.name) < (2 if shape.name in _WITHIN_THEMSELVES else 1):
        for member, its in shape.members.items():
            if secret := secret_at(secrets, shape, member):
                yield secret.default, secret.path(way, member)
            else:
                yield from _paths(its, f"{way}{'.' if way else ''}{_quoted(member)}", secrets, (*above, shape.name))


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f'"{name}"'


if __name__ == "__main__":
    SECRET_FIELDS.write_text(lines(), encoding="utf-8")
