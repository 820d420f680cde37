//! Secrets stay where they are: after the whole story no client secret, no bearer token and no secret setting of a policy
//! stands in any row, log or run context, nor in anything that is exported as a trace or a metric.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::{EmulatedTenant, Plan, Process};
use reqwest::Method;
use serde_json::json;
use system_tests::collector::Collector;
use system_tests::rows;
use system_tests::story::Story;

/// Values that only the provider knows.
const WIFI_KEY: &str = "correct-horse-battery-staple";
const PROXY_PASSWORD: &str = "Tr0ub4dor-and-3";
/// Of the services' roles in the database.
const DATABASE_PASSWORD: &str = "hunter-gatherer-2";
/// What a JSON Web Token of EdDSA begins with, whoever it is about.
const TOKEN_BEGINS: &str = "eyJ0eXAiOiJhdCtqd3Qi";

#[tokio::test]
async fn no_secret_is_written_down_anywhere() -> Result<()> {
    let collector = Collector::start().await?;
    let plan = Plan { otlp_endpoint: Some(collector.endpoint().to_owned()), ..Plan::test().await? };
    let mut story = Story::begin(&Script::own(), plan).await?;
    log_in_to_the_database(&mut story).await?;
    for tenant in story.scene.stack.tenants() {
        put_secrets(&story, tenant).await?;
    }
    let story = story.synced().await?;
    let selection = story.selection();
    let run = story.promote(&selection).await?;
    story.sync(&story.scene.target.tenant_id).await?;
    story.preflight(&selection).await?;
    // Refusals are logged too.
    let hidden = pb::operation::GetOperationRunRequest { run_id: run.run_id.clone() };
    let refused = story.scene.stack.session(Persona::Outsider)?.runs().get_operation_run(hidden).await;
    assert!(refused.is_err());

    let secrets = secrets(&story)?;
    let traces = |text: &str| -> Vec<&str> {
        secrets.iter().filter(|(_, secret)| text.contains(secret.as_str())).map(|(what, _)| what.as_str()).collect()
    };
    let rows = rows::all(&story.rows).await?;
    assert!(rows.iter().any(|row| row.text.contains("Wi-Fi - Guest key")), "the policies with secrets were captured");
    for row in &rows {
        assert_eq!(traces(&row.text), Vec::<&str>::new(), "in a row of {}: {}", row.table, row.text);
    }
    for process in processes(&story) {
        let log = std::fs::read_to_string(process.log())?;
        assert!(!log.is_empty(), "{} logs", process.name());
        assert_eq!(traces(&log), Vec::<&str>::new(), "in the log of {}", process.name());
    }
    let context = run.context.as_ref().map(system_tests::json::of_struct).context("a run has a context")?;
    assert_eq!(traces(&context.to_string()), Vec::<&str>::new(), "in the context of the run");
    // They export the rest as they stop.
    story.scene.close().await?;
    for service in ["compare-service", "promotion-service", "operation-run-service"] {
        assert!(collector.spans().iter().any(|seen| seen.service == service), "{service} exports traces");
    }
    assert!(collector.metrics().contains_key("rpc.server.call.duration") && collector.holds(&run.run_id));
    for (what, secret) in &secrets {
        assert!(!collector.holds(secret), "{what} in what is exported");
    }
    Ok(())
}

/// The local database asks nobody for a password, and takes any: so that there is one to be looked for.
async fn log_in_to_the_database(story: &mut Story) -> Result<()> {
    let stack = &mut story.scene.stack;
    for process in stack.operation_run.iter_mut().chain(&mut stack.compare).chain(&mut stack.promotion) {
        let url = process.variable("TENANTATLAS_DATABASE_URL").context("a service has a database")?;
        let (user, place) = url.split_once('@').context("the URL names a user")?;
        let url = format!("{user}:{DATABASE_PASSWORD}@{place}");
        process.set("TENANTATLAS_DATABASE_URL", &url);
        process.kill().await?;
        process.restart().await?;
    }
    Ok(())
}

/// An administrator of the tenant sets up policies with secrets in them.
async fn put_secrets(story: &Story, tenant: &EmulatedTenant) -> Result<()> {
    let setting = |definition: &str, value: serde_json::Value| {
        json!({
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationSetting",
            "settingInstance": {
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
                "settingDefinitionId": definition,
                "simpleSettingValue": value,
            },
        })
    };
    let wifi = json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationPolicy",
        "name": "Wi-Fi - Guest key",
        "description": "",
        "platforms": "windows10",
        "technologies": "mdm",
        "roleScopeTagIds": ["0"],
        "settings": [
            setting("vendor_msft_wifi_profile_ssid", json!({
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationStringSettingValue", "value": "guests",
            })),
            setting("vendor_msft_wifi_profile_presharedkey", json!({
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationSecretSettingValue",
                "value": WIFI_KEY, "valueState": "notEncrypted",
            })),
        ],
    });
    story.provider.graph(tenant, Method::POST, "/deviceManagement/configurationPolicies", &wifi).await?;
    let proxy = json!({
        "@odata.type": "#microsoft.graph.windows10CustomConfiguration",
        "displayName": "OMA-URI - Guest proxy",
        "description": "",
        "roleScopeTagIds": ["0"],
        "omaSettings": [{
            "@odata.type": "#microsoft.graph.omaSettingString",
            "displayName": "Proxy password",
            "omaUri": "./Device/Vendor/MSFT/NetworkProxy/GuestPassword",
            "isEncrypted": true,
            "value": PROXY_PASSWORD,
        }],
    });
    let ios = json!({
        "@odata.type": "#microsoft.graph.iosWiFiConfiguration",
        "displayName": "Wi-Fi - Guest key for phones",
        "description": "",
        "roleScopeTagIds": ["0"],
        "networkName": "guests",
        "ssid": "guests",
        "wiFiSecurityType": "wpa2Personal",
        "preSharedKey": WIFI_KEY,
    });
    for profile in [proxy, ios] {
        story.provider.graph(tenant, Method::POST, "/deviceManagement/deviceConfigurations", &profile).await?;
    }
    Ok(())
}

/// Everything that must not be found, by what it is.
fn secrets(story: &Story) -> Result<BTreeMap<String, String>> {
    let stack = &story.scene.stack;
    let mut secrets = BTreeMap::from([
        ("a Wi-Fi key".to_owned(), WIFI_KEY.to_owned()),
        ("an OMA-URI value".to_owned(), PROXY_PASSWORD.to_owned()),
        ("the database's password".to_owned(), DATABASE_PASSWORD.to_owned()),
        ("a token".to_owned(), TOKEN_BEGINS.to_owned()),
        ("a header with a token".to_owned(), "Bearer ".to_owned()),
    ]);
    for tenant in stack.tenants() {
        secrets.insert(format!("the client secret of {}", tenant.client_id), tenant.secret().to_owned());
    }
    for service in ["compare-service", "promotion-service", "operation-run-service"] {
        secrets.insert(format!("the secret of {service}"), format!("{service}-local-development"));
    }
    anyhow::ensure!(stack.token(Persona::Owner)?.starts_with(TOKEN_BEGINS), "tokens begin otherwise now");
    Ok(secrets)
}

fn processes(story: &Story) -> Vec<&Process> {
    let stack = &story.scene.stack;
    stack.compare.iter().chain(&stack.promotion).chain(&stack.operation_run).collect()
}
